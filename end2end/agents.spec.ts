import { callApi, card, cli, conversations, createKey, createUser, expect, open, signIn, test } from './fixtures';

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

test('deletes an agent for good once its name was typed, and says what goes with it', async ({ page, workspace }) => {
  await cli(['workspace', 'set-policy', '--workspace', workspace.slug, '--undo-days', '0']);
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

test('deletes an agent and restores it', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  const status = async () => (await callApi(request, workspace, workspace.agents.frontDesk, key.key)).status();
  expect(await status()).toBe(200);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents`);
  await page.getByRole('link', { name: 'Delete Front desk' }).click();
  const question = page.getByRole('dialog', { name: 'Delete agent?' });
  await expect(question).toContainText('You can restore it for 7 days');
  await question.getByRole('button', { name: 'Delete agent' }).click();
  await expect(page.getByText('Agent deleted. Restore it under Recently deleted.')).toBeVisible();
  expect(await status()).toBe(404);
  await page.getByRole('link', { name: 'Recently deleted' }).click();
  await page.getByRole('button', { name: 'Restore Front desk' }).click();
  await expect(page.getByText('Agent restored.')).toBeVisible();
  await expect(card(page, 'Front desk')).toBeVisible();
  expect(await status()).toBe(200);
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

test('makes variants with their values, and deploys them', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents`);
  await card(page, 'Bookings').getByRole('link', { name: 'Bookings', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Bookings', level: 1 })).toBeVisible();
  await expect(page.getByText('No variants yet')).toBeVisible();

  await page.getByRole('link', { name: 'Attribute', exact: true }).click();
  const attribute = page.getByRole('dialog', { name: 'New attribute' });
  await attribute.getByLabel('Name').fill('Opening hours');
  await attribute.getByRole('button', { name: 'Create attribute' }).click();
  await expect(page.getByText('Attribute saved.')).toBeVisible();

  for (const [name, hours] of [['Harbour Hotel', '9 to 5'], ['Park Hotel', 'day & night']] as const) {
    await page.getByRole('link', { name: 'Variant', exact: true }).click();
    const variant = page.getByRole('dialog', { name: 'New variant' });
    await variant.getByLabel('Name').fill(name);
    await variant.getByLabel('Opening hours').fill(hours);
    await variant.getByRole('button', { name: 'Create variant' }).click();
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await expect(page.getByRole('row').filter({ hasText: name })).toContainText(hours);
  }
  const variants = page.getByRole('table', { name: 'Variants' });
  const park = variants.getByRole('row').filter({ hasText: 'Park Hotel' });
  await expect(variants.getByRole('row').filter({ hasText: 'Harbour Hotel' })).toContainText('Default');
  await park.getByRole('link', { name: 'Edit' }).click();
  const edited = page.getByRole('dialog', { name: 'Edit variant' });
  await expect(edited.getByLabel('Opening hours')).toHaveValue('day & night');
  await edited.getByLabel('Name').fill('Harbour Hotel');
  await edited.getByRole('button', { name: 'Save' }).click();
  await expect(edited.getByLabel('Name')).toHaveAccessibleDescription(/Another one of this agent has this name\./);
  await edited.getByLabel('Name').fill('Park Hotel');
  await edited.getByRole('checkbox').check();
  await edited.getByRole('button', { name: 'Save' }).click();
  await expect(park).toContainText('Default');

  await page.getByRole('link', { name: 'Publish' }).click();
  const publish = page.getByRole('dialog', { name: 'Publish' });
  await publish.getByLabel('Message').fill('First');
  await publish.getByRole('button', { name: 'Publish' }).click();
  const sandbox = page.getByRole('table', { name: 'Deployments in Sandbox' });
  await expect(sandbox.getByRole('row').nth(1)).toContainText(/Active.*First/);
  await sandbox.getByRole('link', { name: 'Promote' }).click();
  const promote = page.getByRole('dialog', { name: 'Promote' });
  await expect(promote.getByLabel('To')).toHaveValue('pre-release');
  await promote.getByRole('button', { name: 'Promote' }).click();
  await expect(page.getByRole('table', { name: 'Deployments in Pre-release' }).getByRole('row').nth(1)).toContainText('Active');

  await variants.getByRole('row').filter({ hasText: 'Harbour Hotel' }).getByRole('link', { name: 'Delete' }).click();
  const question = page.getByRole('dialog', { name: 'Delete variant?' });
  await question.getByRole('button', { name: 'Delete variant' }).click();
  await expect(variants.getByRole('row').filter({ hasText: 'Harbour Hotel' })).toHaveCount(0);
  await open(page, `/${workspace.slug}/agents`);
  await page.getByRole('link', { name: 'Delete Bookings' }).click();
  await expect(page.getByRole('dialog')).toContainText('Its variants and deployments are deleted with it.');
});
