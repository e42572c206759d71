import { callApi, card, createKey, expect, open, signIn, test } from './fixtures';

test('a workspace that shows keys once', async ({ page, request, workspace }) => {
  const before = await createKey(workspace, 'Before');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(page.getByRole('button', { name: 'Copy Before' })).toBeVisible();

  await page.getByRole('link', { name: 'Copying settings' }).click();
  const question = page.getByRole('dialog', { name: 'Copying keys later' });
  // Without the tick the browser does not even send it.
  await question.getByRole('button', { name: 'Show keys once' }).click();
  await expect(question.locator('input[name=destroy]:invalid')).toHaveCount(1);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys/settings`);
  await question.getByRole('checkbox', { name: 'Destroy the stored values.' }).check();
  await question.getByRole('button', { name: 'Show keys once' }).click();

  await expect(page.getByText('Settings saved.')).toBeVisible();
  await expect(card(page, 'Before')).toContainText('Shown once');
  await expect(page.getByRole('button', { name: /^Copy / })).toHaveCount(0);
  // The key itself goes on working.
  expect((await callApi(request, workspace, workspace.agents.bookings, before.key)).status()).toBe(200);

  await open(page, `/${workspace.slug}/api-keys/new`);
  const form = page.getByRole('dialog', { name: 'New API key' });
  await form.getByLabel('Name').fill('After');
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  const created = page.getByRole('dialog', { name: 'API key created' });
  await expect(created.getByText('this workspace shows keys once')).toBeVisible();
  const field = created.getByRole('textbox', { name: 'API key' });
  await expect(field).toHaveValue(/^ask_/);
  const value = await field.inputValue();
  expect((await callApi(request, workspace, workspace.agents.bookings, value)).status()).toBe(200);

  await page.reload();
  await expect(page.getByText('This key was shown once, when it was created, and cannot be copied any more.')).toBeVisible();
  expect(await page.content()).not.toContain(value);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(card(page, 'After')).toContainText('Shown once');
  await expect(page.getByRole('button', { name: /^Copy / })).toHaveCount(0);
});

test('the server asks for the confirmation too', async ({ page, workspace, baseURL }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  const form = { workspace: workspace.slug, copyable: 'false' };
  const refused = await page.request.post('/api/set_keys_copyable', { form, headers: { origin: baseURL! } });
  expect(refused.status()).toBe(422);
  const copied = await page.request.post('/api/copy_api_key', {
    form: { workspace: workspace.slug, key: key.id },
    headers: { origin: baseURL! },
  });
  expect(await copied.json()).toBe(key.key);
});

test('new keys can be copied again once it is allowed, old ones cannot', async ({ page, workspace, baseURL }) => {
  const old = await createKey(workspace, 'Old');
  await signIn(page, workspace.admin);
  const form = { workspace: workspace.slug, copyable: 'false', destroy: 'true' };
  const set = await page.request.post('/api/set_keys_copyable', { form, headers: { origin: baseURL! } });
  expect(set.status()).toBe(200);

  await open(page, `/${workspace.slug}/api-keys/settings`);
  await page.getByRole('dialog').getByRole('button', { name: 'Allow copying' }).click();
  await expect(page.getByText('Settings saved.')).toBeVisible();
  await createKey(workspace, 'New');
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(page.getByRole('button', { name: 'Copy New' })).toBeVisible();
  await expect(card(page, 'Old')).toContainText('Shown once');
  const refused = await page.request.post('/api/copy_api_key', {
    form: { workspace: workspace.slug, key: old.id },
    headers: { origin: baseURL! },
  });
  expect(refused.status()).toBe(409);
});
