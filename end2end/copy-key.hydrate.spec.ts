import { callApi, cli, createKey, expect, open, signIn, test } from './fixtures';

test.beforeEach(({ context }) => context.grantPermissions(['clipboard-read', 'clipboard-write']));

const clipboard = () => navigator.clipboard.readText();

test('puts the value on the clipboard', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  const response = await open(page, `/${workspace.slug}/api-keys`);
  expect(await response!.text()).not.toContain(key.key);
  expect(await page.content()).not.toContain(key.key);

  await page.getByRole('button', { name: 'Copy CRM sync' }).click();
  await expect(page.getByText('Key copied.')).toBeVisible();
  expect(await page.evaluate(clipboard)).toBe(key.key);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  expect(await page.content()).not.toContain(key.key);
  const answer = await callApi(request, workspace, workspace.agents.bookings, await page.evaluate(clipboard));
  expect(answer.status()).toBe(200);
});

test('says so where the key was deleted in the meantime', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await cli(['key', 'delete', '--workspace', workspace.slug, key.id]);
  await page.getByRole('button', { name: 'Copy CRM sync' }).click();
  await expect(page.getByText('This does not exist, or no longer does.')).toBeVisible();
  expect(await page.evaluate(clipboard)).not.toBe(key.key);
});

test('says so where the server cannot be reached', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.route('**/api/copy_api_key', (route) => route.abort());
  await page.getByRole('button', { name: 'Copy CRM sync' }).click();
  await expect(page.getByText('The server could not be reached.')).toBeVisible();
  expect(await page.evaluate(clipboard)).not.toBe(key.key);
});

test('a refused clipboard leads to the value in a field', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await page.addInitScript(() => {
    const refuse = () => Promise.reject(new DOMException('refused', 'NotAllowedError'));
    Object.assign(Clipboard.prototype, { write: refuse, writeText: refuse });
  });
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('button', { name: 'Copy CRM sync' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys/${key.id}/copy`);
  await expect(page.getByRole('dialog').getByRole('textbox', { name: 'API key' })).toHaveValue(key.key);
});

test('copies a new key', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/new`);
  const form = page.getByRole('dialog', { name: 'New API key' });
  await form.getByLabel('Name').fill('CRM sync');
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  const created = page.getByRole('dialog', { name: 'API key created' });
  await created.getByRole('button', { name: 'Copy', exact: true }).click();
  await expect(created.getByRole('button', { name: 'Copied', exact: true })).toBeVisible();
  const value = await created.getByRole('textbox', { name: 'API key' }).inputValue();
  expect(await page.evaluate(clipboard)).toBe(value);
  // Copied: nothing is asked.
  await created.getByRole('link', { name: 'Done' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  await expect(page.getByRole('heading', { name: 'CRM sync' })).toBeVisible();
});

test('over plain HTTP a key is copied by selecting it', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  // As on plain HTTP away from loopback: the browser has no clipboard for pages.
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'clipboard'));
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('button', { name: 'Copy CRM sync' }).click();
  await expect(page.getByText('Key copied.')).toBeVisible();
  await open(page, `/${workspace.slug}/api-keys/new`);
  const name = page.getByRole('dialog').getByLabel('Name');
  await name.focus();
  await page.keyboard.press('ControlOrMeta+V');
  await expect(name).toHaveValue(key.key);

  await open(page, `/${workspace.slug}/api-keys/${key.id}/use`);
  await page.getByRole('button', { name: 'Copy List the latest conversations' }).click();
  await expect(page.getByRole('button', { name: 'Copied List the latest conversations' })).toBeFocused();
});
