import { card, createKey, createUser, expect, open, signIn, test } from './fixtures';
import { useKey } from './pages';

test('the list says when keys were last used, and sorts by it', async ({ page, workspace }) => {
  const used = await createKey(workspace, 'Used');
  await createKey(workspace, 'Spare');
  await useKey(page, workspace, used);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys?sort=last-used`);
  await expect(page.getByRole('heading', { level: 2 }).first()).toHaveText('Used');
  await expect(card(page, 'Used')).toContainText('Last used just now');
  await expect(card(page, 'Spare')).toContainText('Never used');
});

test("a key's page counts its requests, and its log is filtered", async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await useKey(page, workspace, key);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'CRM sync', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'CRM sync' })).toBeVisible();
  await expect(page.getByRole('img', { name: '1 accepted and 1 refused requests' })).toBeVisible();
  const refusals = page.getByRole('table', { name: 'Refusals by reason' });
  await expect(refusals.getByRole('row').filter({ hasText: 'No such agent' })).toContainText('1');

  const log = page.getByRole('table', { name: 'Latest requests' });
  await expect(log.getByRole('row')).toHaveCount(3);
  await page.getByLabel('Outcome').selectOption('All refusals');
  await page.getByRole('button', { name: 'Filter' }).click();
  await expect(log.getByRole('row')).toHaveCount(2);
  await expect(log).toContainText(`GET /v3/${workspace.id}/nobody/conversations`);
  await expect(page).toHaveURL(/outcome=refused/);

  await page.getByText('Show as a table').click();
  const hours = page.getByRole('table', { name: 'Requests over time' });
  await expect(hours.getByRole('row')).toHaveCount(25);
  await page.getByRole('link', { name: '7 days' }).click();
  await expect(page.getByRole('link', { name: '7 days' })).toHaveAttribute('aria-current', 'true');
  await page.getByText('Show as a table').click();
  await expect(hours.getByRole('row')).toHaveCount(8);
  await page.getByRole('link', { name: 'API keys' }).first().click();
  await expect(page.getByRole('heading', { level: 1, name: 'API keys' })).toBeVisible();
});

test('the Usage page adds up the calls of a workspace', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await createKey(workspace, 'Spare');
  await useKey(page, workspace, key);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Usage', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Usage' })).toBeVisible();
  await expect(page.getByText('2 requests, of which 1 was refused (50.0 %).')).toBeVisible();
  const row = (table: string, name: string) => page.getByRole('table', { name: table }).getByRole('row').filter({ hasText: name });
  await expect(row('Requests by API', 'Conversations')).toContainText('2');
  await expect(row('Requests by agent', 'Front desk')).toContainText('1');
  await expect(row('Refusals by reason', 'No such agent')).toContainText('1');
  await expect(row('Keys never used', 'Spare')).toBeVisible();
  await page.getByRole('link', { name: '90 days' }).click();
  await expect(page.getByRole('link', { name: '90 days' })).toHaveAttribute('aria-current', 'true');
  await page.getByText('Show as a table').click();
  await expect(page.getByRole('table', { name: 'Requests over time' }).getByRole('row')).toHaveCount(91);
  // Keys are ranked some seconds after their calls.
  await expect(async () => {
    await page.reload();
    await expect(row('Requests by key', 'CRM sync')).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 30_000 });
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'CSV' }).click();
  expect((await download).suggestedFilename()).toMatch(/^usage-.+-90d-\d{4}-\d\d-\d\d\.csv$/);
});

test('why a call was refused is answered by its correlation id', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await useKey(page, workspace, key);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Why was a call refused?' }).click();
  await page.getByLabel('Correlation id').fill('call-refused');
  await page.getByRole('button', { name: 'Look it up' }).click();
  await expect(page.getByText('The call names an agent that this workspace does not have.')).toBeVisible();
  await page.getByRole('link', { name: 'CRM sync' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'CRM sync' })).toBeVisible();
});

test('viewers see how keys are used, and not who called what', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await useKey(page, workspace, key);
  await signIn(page, await createUser(workspace, 'viewer'));
  await open(page, `/${workspace.slug}/api-keys/${key.id}`);
  await expect(page.getByRole('img', { name: '1 accepted and 1 refused requests' })).toBeVisible();
  await expect(page.getByRole('table', { name: 'Latest requests' })).toHaveCount(0);
  await open(page, `/${workspace.slug}/activity`);
  await expect(page.getByRole('alert')).toContainText('Only an admin');
});

test('activity is filtered and exported', async ({ page, workspace }) => {
  await createKey(workspace, 'CRM sync');
  await createKey(workspace, 'Analytics');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Activity' }).click();
  const activity = page.getByRole('table', { name: 'Activity' });
  await expect(activity.getByRole('row').filter({ hasText: 'API key created' })).toHaveCount(2);
  await page.getByLabel('Key (name or id)').fill('Analytics');
  await page.getByRole('button', { name: 'Filter' }).click();
  await expect(activity.getByRole('row')).toHaveCount(2);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()]);
  expect(download.suggestedFilename()).toMatch(new RegExp(`^activity-${workspace.slug}-.*\\.csv$`));
  const chunks: string[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(String(chunk));
  const lines = chunks.join('').trim().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain(',key-created,');
});
