import { choose, expect, listKeys, open, signIn, test } from './fixtures';

test('the permission Agents is offered for keys on all agents only', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/new`);
  const form = page.getByRole('dialog');
  await form.getByLabel('Name').fill('Reports');
  const agents = form.getByRole('checkbox', { name: 'Agents API' });
  await agents.check();
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await expect(agents).toBeHidden();
  await choose(form, 'Chosen agents', 'Front desk');
  await form.getByRole('button', { name: 'Create key' }).click();
  await expect(page.getByRole('textbox', { name: 'API key' })).toBeVisible();
  const [{ permissions }] = await listKeys(workspace);
  expect(permissions).toEqual(['conversations']);
});
