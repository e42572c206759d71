import { callApi, card, cli, createKey, createUser, expect, open, signIn, test } from './fixtures';

test('a policy is set after a look at whom it hits', async ({ page, workspace }) => {
  await createKey(workspace, 'Long', { expiresIn: '300d' });
  await createKey(workspace, 'Short', { expiresIn: '10d' });
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Policy' }).click();
  await page.getByLabel('Longest lifetime, in days').fill('90');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await expect(page.getByRole('row').filter({ hasText: 'Long' })).toBeVisible();
  await expect(page.getByRole('row').filter({ hasText: 'Short' })).toHaveCount(0);

  await page.getByRole('link', { name: 'Change', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'Rules for keys' });
  await form.getByLabel('Longest lifetime, in days').fill('90');
  await form.getByRole('checkbox', { name: /It also binds keys that exist/ }).check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByText('1 key would expire earlier')).toBeVisible();
  await form.getByRole('checkbox', { name: /Keys may expire earlier/ }).check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Settings saved.')).toBeVisible();

  await open(page, `/${workspace.slug}/api-keys/new`);
  const expiry = page.getByRole('dialog', { name: 'New API key' }).getByRole('combobox', { name: 'Expiry' });
  await expect(expiry.getByRole('option', { name: '1 year' })).toHaveCount(0);
});

test('a viewer asks for a key, and an admin approves', async ({ page, request, workspace }) => {
  await cli(['workspace', 'set-policy', '--workspace', workspace.slug, '--viewers-may-ask']);
  const viewer = await createUser(workspace, 'viewer');
  await signIn(page, viewer);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Ask for a key' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Wallboard');
  await page.getByRole('checkbox', { name: 'Conversations data' }).check();
  await page.getByLabel('Note').fill('For the team room');
  await page.getByRole('button', { name: 'Send request' }).click();
  await expect(page.getByText('Request sent. An admin decides on it.')).toBeVisible();

  await page.context().clearCookies();
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: '1 key is asked for' }).click();
  await expect(card(page, 'Wallboard')).toContainText('For the team room');
  await page.getByRole('button', { name: 'Approve Wallboard' }).click();
  const value = await page.getByRole('textbox', { name: 'API key' }).inputValue();
  expect((await callApi(request, workspace, workspace.agents.bookings, value)).status()).toBe(200);
});

test('networks that would cut a caller off are confirmed', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(200);
  await signIn(page, workspace.admin);
  const form = page.getByRole('dialog', { name: 'Key settings' });
  await expect(async () => {
    await open(page, `/${workspace.slug}/api-keys/${key.id}/settings`);
    await expect(form.getByRole('checkbox', { name: /\(1 call\)/ })).toBeVisible({ timeout: 500 });
  }).toPass();
  await form.getByLabel('Networks').fill('198.51.100.0/24');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByText(/called in the last 30 days and would be refused/)).toBeVisible();
  await form.getByRole('checkbox', { name: /\(1 call\)/ }).check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Key saved.')).toBeVisible();
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(200);
});
