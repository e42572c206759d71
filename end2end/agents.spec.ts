import { card, conversations, createUser, expect, open, signIn, test } from './fixtures';

test('creates an agent', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents`);
  await expect(card(page, 'Front desk')).toContainText(String(conversations.length));
  await expect(card(page, 'Front desk')).toContainText(workspace.agents.frontDesk.id);
  await page.getByRole('link', { name: 'Agent', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'New agent' });
  await form.getByLabel('Name').fill('x'.repeat(101));
  await form.getByRole('button', { name: 'Create agent' }).click();
  await expect(form.getByLabel('Name')).toHaveAccessibleDescription(/Use at most 100 characters for the name\./);
  await expect(form.getByLabel('Name')).toHaveValue('x'.repeat(101));
  await form.getByLabel('Name').fill('Night desk');
  await form.getByRole('button', { name: 'Create agent' }).click();

  await expect(page.getByText('Agent created.')).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(card(page, 'Night desk')).toContainText(/PROJECT-[0-9A-Z]+/);
  await open(page, `/${workspace.slug}/api-keys/configuration`);
  await expect(page.getByRole('heading', { name: 'Night desk' })).toBeVisible();
});

test('renames an agent', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents`);
  await page.getByRole('link', { name: 'Rename Front desk' }).click();
  const form = page.getByRole('dialog', { name: 'Rename agent' });
  await expect(form.getByLabel('Name')).toHaveValue('Front desk');
  await form.getByLabel('Name').fill('Reception <i>');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Agent renamed.')).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(card(page, 'Reception <i>')).toContainText(workspace.agents.frontDesk.id);
  await expect(card(page, 'Front desk')).toHaveCount(0);
});

test('an agent that is not there cannot be renamed', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const response = await page.goto(`/${workspace.slug}/agents/PROJECT-NOTHING/rename`);
  expect(response!.status()).toBe(404);
  await expect(page.getByRole('dialog').getByRole('heading', { name: 'Not found' })).toBeVisible();
});

test('a viewer sees agents and nothing to do', async ({ page, workspace }) => {
  await signIn(page, await createUser(workspace, 'viewer'));
  await open(page, `/${workspace.slug}/agents`);
  await expect(card(page, 'Front desk')).toBeVisible();
  await expect(page.getByRole('link', { name: /^Rename / })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Agent', exact: true })).toHaveCount(0);
});
