import { card, conversations, createKey, createUser, expect, open, signIn, test } from './fixtures';

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

test('deletes an agent once its name was typed, and says what goes with it', async ({ page, workspace }) => {
  await createKey(workspace, 'Narrow', { agents: 'front-desk' });
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents`);
  await page.getByRole('link', { name: 'Delete Front desk' }).click();
  const question = page.getByRole('dialog', { name: 'Delete agent?' });
  await expect(question).toContainText(`Its ${conversations.length} conversations are erased with it.`);
  await expect(question).toContainText('One API key covers this agent alone');
  const name = question.getByLabel('Name of the agent');
  await name.fill('front desk');
  await question.getByRole('button', { name: 'Delete agent' }).click();
  await expect(name).toHaveAccessibleDescription(/That is not its name\. Type it exactly as shown\./);
  await name.fill('Front desk');
  await question.getByRole('button', { name: 'Delete agent' }).click();
  await expect(page.getByText('Agent deleted, and its conversations with it.')).toBeVisible();
  await expect(card(page, 'Front desk')).toHaveCount(0);
  await expect(card(page, 'Bookings')).toBeVisible();
});

test('sets how long conversations are kept', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents`);
  await expect(page.getByText('Conversations are kept until they are deleted.')).toBeVisible();
  await page.getByRole('link', { name: 'Change', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'Keeping conversations' });
  const days = form.getByLabel('Erase conversations after (days)');
  await days.fill('90');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByText('Tick the box to confirm.')).toBeVisible();
  await expect(days).toHaveValue('90');
  await form.getByRole('checkbox').check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Conversations are erased 90 days after they began.')).toBeVisible();
  await page.getByRole('link', { name: 'Change', exact: true }).click();
  await expect(days).toHaveValue('90');
  await days.fill('');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Conversations are kept until they are deleted.')).toBeVisible();
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
  await expect(page.getByRole('link', { name: /^(Rename|Delete) / })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Change', exact: true })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Agent', exact: true })).toHaveCount(0);
});
