import { card, cli, createKey, expect, open, signIn, test } from './fixtures';

test('the list is filtered, and the filter stands in the address', async ({ page, workspace }) => {
  const paused = await createKey(workspace, 'Paused one');
  await createKey(workspace, 'Other one');
  await cli(['key', 'pause', '--workspace', workspace.slug, paused.id]);
  await cli(['key', 'edit', '--workspace', workspace.slug, paused.id, '--owner', 'Ada', '--tag', 'crm']);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Filter', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'Filter keys' });
  await form.getByLabel('Status').selectOption('Paused (1)');
  await form.getByLabel('Tag', { exact: true }).selectOption('crm (1)');
  await form.getByRole('checkbox', { name: 'Owner', exact: true }).check();
  await form.getByRole('button', { name: 'Show keys' }).click();
  await expect(page).toHaveURL(/status=paused&tag=crm&show=owner/);
  await expect(card(page, 'Paused one')).toContainText('Owner Ada');
  await expect(card(page, 'Other one')).toHaveCount(0);
  await page.getByRole('link', { name: 'Remove the filter Paused' }).click();
  await expect(page).toHaveURL(/api-keys\?tag=crm&show=owner$/);
  await page.getByRole('link', { name: 'Remove the filter Tag: crm' }).click();
  await expect(card(page, 'Other one')).toBeVisible();
});

test('many keys are changed at once, and changed back', async ({ page, workspace }) => {
  for (const name of ['One', 'Two', 'Three']) await createKey(workspace, name);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Change many' }).click();
  await page.getByRole('checkbox', { name: 'One', exact: true }).check();
  await page.getByRole('checkbox', { name: 'Two', exact: true }).check();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Paused 2 keys.')).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('Undone, where the keys were not changed since.')).toBeVisible();
  await expect(page.getByText('Paused', { exact: true })).toHaveCount(0);

  await page.getByRole('link', { name: 'Change many' }).click();
  await page.getByLabel(/Tags, separated by commas/).fill('audit');
  await page.getByRole('checkbox', { name: /All 3 keys that match/ }).check();
  await page.getByRole('button', { name: 'Add tags' }).click();
  await expect(page.getByText('Added tags to 3 keys.')).toBeVisible();
  await expect(page.getByText(/never used.*audit/)).toHaveCount(3);
});
