import { callApi, createKey, expect, open, signIn, test } from './fixtures';

// As on plain HTTP away from loopback, in a browser that does not copy what is selected either.
test.beforeEach(({ context }) =>
  context.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'clipboard');
    Object.assign(Document.prototype, { execCommand: () => false });
  }),
);

test('without a clipboard the value is shown once, to be selected', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  expect(await page.content()).not.toContain(key.key);
  await page.getByRole('button', { name: 'Copy CRM sync' }).click();

  await expect(page).toHaveURL(`/${workspace.slug}/api-keys/${key.id}/copy`);
  const field = page.getByRole('dialog', { name: 'Copy API key' }).getByRole('textbox', { name: 'API key' });
  await expect(field).toHaveValue(key.key);
  await expect(field).not.toBeEditable();
  expect((await callApi(request, workspace, workspace.agents.bookings, await field.inputValue())).status()).toBe(200);

  await page.reload();
  await expect(page.getByText('The key was shown once. Press its copy button again to see it.')).toBeVisible();
  expect(await page.content()).not.toContain(key.key);
  await page.getByRole('link', { name: 'Done' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
});

test('the page of one key does not show the value of another', async ({ page, workspace }) => {
  const [one, other] = [await createKey(workspace, 'One'), await createKey(workspace, 'Other')];
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('button', { name: 'Copy One' }).click();
  await expect(page.getByRole('dialog').getByRole('textbox', { name: 'API key' })).toHaveValue(one.key);
  await open(page, `/${workspace.slug}/api-keys/${other.id}/copy`);
  await expect(page.getByText('The key was shown once.')).toBeVisible();
  expect(await page.content()).not.toContain(one.key);
});
