import { callApi, card, cli, createKey, expect, open, signIn, test } from './fixtures';

test('edits name and permissions', async ({ page, request, workspace }) => {
  const { frontDesk } = workspace.agents;
  const key = await createKey(workspace, 'CRM sync', { agents: 'front-desk' });
  expect((await callApi(request, workspace, frontDesk, key.key)).status()).toBe(200);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Edit CRM sync' }).click();

  const form = page.getByRole('dialog', { name: 'Edit API key' });
  await expect(form.getByLabel('Name')).toHaveValue('CRM sync');
  await expect(form.getByRole('checkbox', { name: 'Conversations data' })).toBeChecked();
  await form.getByLabel('Name').fill('Handoff reader');
  await form.getByRole('checkbox', { name: 'Conversations data' }).uncheck();
  await form.getByRole('checkbox', { name: 'Handoff' }).check();
  await form.getByRole('button', { name: 'Save' }).click();

  await expect(page.getByText('Key saved.')).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(card(page, 'Handoff reader')).toContainText('Handoff');
  await expect(card(page, 'CRM sync')).toHaveCount(0);
  const refused = await callApi(request, workspace, frontDesk, key.key);
  expect(refused.status()).toBe(403);
  const body = await refused.json();
  expect(body).toMatchObject({ success: false, error_code: 'USER_ACCESS_FORBIDDEN', data: null });
  expect(body.error_message).toContain('Conversations data');
});

test('agents and expiry are shown as fixed', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync', { agents: 'front-desk' });
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}/edit`);
  const form = page.getByRole('dialog', { name: 'Edit API key' });
  await expect(form.getByText('Agents and expiry are fixed when a key is created.')).toBeVisible();
  await expect(form.getByText('Front desk')).toBeVisible();
  await expect(form.getByRole('time')).toBeVisible();
  await expect(form.getByRole('textbox')).toHaveCount(1);
  await expect(form.getByRole('checkbox')).toHaveCount(3);
  for (const role of ['combobox', 'radio'] as const) await expect(form.getByRole(role)).toHaveCount(0);
});

test('an edit without permissions is refused', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}/edit`);
  const form = page.getByRole('dialog', { name: 'Edit API key' });
  await form.getByLabel('Name').fill('Another name');
  await form.getByRole('checkbox', { name: 'Conversations data' }).uncheck();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByRole('group', { name: 'Permissions' })).toContainText('Choose at least one permission.');
  await expect(form.getByLabel('Name')).toHaveValue('Another name');
  await expect(form.getByRole('checkbox', { name: 'Conversations data' })).not.toBeChecked();
});

test('deletes for good only who types the name', async ({ page, request, workspace }) => {
  await cli(['workspace', 'set-policy', '--workspace', workspace.slug, '--undo-days', '0']);
  const key = await createKey(workspace, 'CRM sync');
  await createKey(workspace, 'Another key');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Delete CRM sync' }).click();

  const question = page.getByRole('dialog', { name: 'Delete API key?' });
  const name = question.getByLabel('Name of the key');
  await name.fill('CRM');
  await question.getByRole('button', { name: 'Delete key' }).click();
  await expect(name).toHaveAccessibleDescription(/That is not its name\. Type it exactly as shown\./);
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(200);

  await name.fill('CRM sync');
  await question.getByRole('button', { name: 'Delete key' }).click();
  await expect(page.getByText('Key deleted. It is refused from now on.')).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(card(page, 'CRM sync')).toHaveCount(0);
  await expect(card(page, 'Another key')).toBeVisible();
  const refused = await callApi(request, workspace, workspace.agents.bookings, key.key);
  expect(refused.status()).toBe(401);
  expect(await refused.json()).toMatchObject({ error_code: 'AUTH_USER_INVALID_TOKEN' });
});

test('keeps the key', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}/delete?sort=name`);
  await page.getByRole('link', { name: 'Keep key' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys?sort=name`);
  await expect(card(page, 'CRM sync')).toBeVisible();
});

const GONE = 'This does not exist, or no longer does. Someone may have deleted it in the meantime.';

test('says so where the key was deleted in the meantime', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}/delete`);
  await cli(['key', 'delete', '--workspace', workspace.slug, key.id]);
  await page.getByRole('button', { name: 'Delete key' }).click();
  await expect(page.getByRole('dialog').getByText(GONE).first()).toBeVisible();
});

test('says so where the key to edit was deleted in the meantime', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}/edit`);
  await cli(['key', 'delete', '--workspace', workspace.slug, key.id]);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('dialog').getByText(GONE).first()).toBeVisible();
});

for (const form of ['edit', 'delete', 'created', 'copy']) {
  test(`a key that never was has no page: ${form}`, async ({ page, workspace }) => {
    await signIn(page, workspace.admin);
    const response = await page.goto(`/${workspace.slug}/api-keys/key-nothing/${form}`);
    expect(response!.status()).toBe(404);
    await expect(page.getByRole('dialog').getByText(GONE)).toBeVisible();
  });
}
