import { card, createKey, createUser, expect, open, signIn, test } from './fixtures';

test('no page has an error to report', async ({ page, workspace }) => {
  const errors: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) errors.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.message}`));
  const dialog = page.getByRole('dialog');
  const close = async () => {
    await dialog.getByRole('link', { name: 'Close' }).click();
    await expect(dialog).toHaveCount(0);
  };
  await createKey(workspace, 'CRM sync');
  const viewer = await createUser(workspace, 'viewer');

  await open(page, '/sign-in');
  await page.getByLabel('E-mail').fill(workspace.admin.email);
  await page.getByLabel('Password').fill(workspace.admin.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(card(page, 'CRM sync')).toBeVisible();

  for (const opener of ['API key', 'Copying settings', 'Edit CRM sync', 'Delete CRM sync']) {
    await page.getByRole('link', { name: opener, exact: true }).click();
    await expect(dialog).toBeVisible();
    await close();
  }
  await page.getByRole('link', { name: 'Configuration' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Configuration' })).toBeVisible();
  await page.getByRole('link', { name: 'Back to API keys' }).click();
  await expect(card(page, 'CRM sync')).toBeVisible();

  await page.getByRole('link', { name: 'Agents', exact: true }).click();
  await expect(card(page, 'Front desk')).toBeVisible();
  for (const opener of ['Agent', 'Rename Front desk']) {
    await page.getByRole('link', { name: opener, exact: true }).click();
    await expect(dialog.getByLabel('Name')).toBeVisible();
    await close();
  }

  await page.getByRole('link', { name: 'Users', exact: true }).click();
  await expect(card(page, viewer.email)).toBeVisible();
  for (const opener of ['User', `Change role of ${viewer.email}`, `Remove ${viewer.email}`]) {
    await page.getByRole('link', { name: opener, exact: true }).click();
    await expect(dialog.getByRole('button').last()).toBeVisible();
    await close();
  }
  await page.getByRole('link', { name: `Account of ${workspace.admin.email}` }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Account' })).toBeVisible();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Sign in' })).toBeVisible();
  expect(errors).toEqual([]);
});

test('no page has an error to report when it is loaded', async ({ page, workspace }) => {
  const errors: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) errors.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.message}`));
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  for (const address of [
    'api-keys', 'api-keys?q=nothing', 'api-keys/new', 'api-keys/settings', 'api-keys/configuration', `api-keys/${key.id}/edit`,
    `api-keys/${key.id}/delete`, `api-keys/${key.id}/created`, `api-keys/${key.id}/copy`, 'agents', 'agents/new',
    `agents/${workspace.agents.bookings.id}/rename`, 'users', 'users/new', 'users/invited',
  ]) {
    await open(page, `/${workspace.slug}/${address}`);
    await page.waitForLoadState('networkidle');
  }
  expect(errors).toEqual([]);
});

test('the way back leads through the pages that were seen', async ({ page, workspace }) => {
  await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: `Account of ${workspace.admin.email}` }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Account' })).toBeVisible();
  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await expect(card(page, 'CRM sync')).toBeVisible();
  await page.getByRole('link', { name: 'Edit CRM sync' }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(card(page, 'CRM sync')).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1, name: 'Account' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1, name: 'Users' })).toBeVisible();
});

test('back leads past a page that only sent on', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, '/account');
  // What a link in the page does.
  await page.evaluate(() => {
    const link = document.createElement('a');
    link.href = '/';
    link.textContent = 'Start';
    document.querySelector('main')?.append(link);
  });
  await page.getByRole('link', { name: 'Start' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'API keys' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1, name: 'Account' })).toBeVisible();
});
