import { card, createKey, createUser, expect, open, signIn, test } from './fixtures';
import type { Page } from '@playwright/test';

const names = (page: Page) => page.getByRole('main').getByRole('heading', { level: 2 });

test('without keys it says how to begin', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(page.getByRole('heading', { name: 'No API keys yet' })).toBeVisible();
  await page.getByRole('main').getByRole('link', { name: 'API key', exact: true }).last().click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys/new`);
  await expect(page.getByRole('dialog', { name: 'New API key' })).toBeVisible();
});

test('search stands in the address', async ({ page, workspace }) => {
  for (const name of ['CRM sync', 'crm export', 'Billing 100%']) await createKey(workspace, name);
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(names(page)).toHaveCount(3);

  const search = page.getByRole('searchbox', { name: 'Search API keys' });
  await search.fill('CRM');
  await search.press('Enter');
  await expect(page).toHaveURL(/[?&]q=CRM(&|$)/);
  await expect(names(page)).toHaveText(['crm export', 'CRM sync']);
  await expect(search).toHaveValue('CRM');

  // A wildcard of the database is an ordinary character here.
  await search.fill('%');
  await search.press('Enter');
  await expect(names(page)).toHaveText(['Billing 100%']);

  await search.fill('nothing like it');
  await search.press('Enter');
  await expect(page.getByRole('heading', { name: 'No matching keys' })).toBeVisible();
  await expect(page.getByText('No key\'s name contains “nothing like it”.')).toBeVisible();
  await page.getByRole('link', { name: 'Show all keys' }).click();
  await expect(names(page)).toHaveCount(3);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
});

test('a pasted key is found, and does not stand in the address', async ({ page, workspace, javaScriptEnabled }) => {
  const key = await createKey(workspace, 'CRM sync');
  await createKey(workspace, 'Another key');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  const search = page.getByRole('searchbox', { name: 'Search API keys' });
  if (javaScriptEnabled) {
    await page.keyboard.press('/');
    await expect(search).toBeFocused();
  }
  await search.fill(key.key);
  await search.press('Enter');
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys/${key.id}`);
  expect(requests.filter((url) => url.includes(key.key))).toEqual([]);

  await open(page, `/${workspace.slug}/api-keys`);
  await search.fill(key.masked.slice(0, 8));
  await search.press('Enter');
  await expect(names(page)).toHaveText(['CRM sync']);
  await search.fill('ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3');
  await search.press('Enter');
  await expect(page.getByText('No key of this workspace has this value.')).toBeVisible();
});

test('order stands in the address', async ({ page, workspace, javaScriptEnabled }) => {
  await createKey(workspace, 'Beta', { expiresIn: '30d' });
  await createKey(workspace, 'alpha', { expiresIn: '3d' });
  await createKey(workspace, 'Gamma', { expiresIn: '1y' });
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(names(page)).toHaveText(['Gamma', 'alpha', 'Beta']);
  for (const [sort, order] of Object.entries({
    oldest: ['Beta', 'alpha', 'Gamma'],
    name: ['alpha', 'Beta', 'Gamma'],
    expiry: ['alpha', 'Beta', 'Gamma'],
    newest: ['Gamma', 'alpha', 'Beta'],
  })) {
    await page.getByLabel('Sort api keys').selectOption(sort);
    if (!javaScriptEnabled) await page.getByRole('button', { name: 'Apply' }).click();
    // The default order does not stand in it.
    await expect(page).toHaveURL(sort === 'newest' ? /api-keys$/ : new RegExp(`[?&]sort=${sort}(&|$)`));
    await expect(names(page)).toHaveText(order);
    await expect(page.getByLabel('Sort api keys')).toHaveValue(sort);
  }
});

test('status, scope and expiry', async ({ page, workspace }) => {
  await createKey(workspace, 'Lasting', { permissions: 'conversations,external-events' });
  await createKey(workspace, 'Ending', { expiresIn: '6d', agents: 'front-desk' });
  const ended = await createKey(workspace, 'Ended', { expiresIn: '1s' });
  await signIn(page, workspace.admin);
  await expect
    .poll(async () => {
      await open(page, `/${workspace.slug}/api-keys`);
      return card(page, 'Ended').innerText();
    })
    .toContain('Expired');
  await expect(card(page, 'Ended')).toContainText(ended.masked);
  await expect(card(page, 'Ending')).toContainText('Expires soon');
  await expect(card(page, 'Ending')).toContainText('Front desk');
  await expect(card(page, 'Lasting')).not.toContainText(/Expires soon|Expired/);
  await expect(card(page, 'Lasting')).toContainText('All agents');
  await expect(card(page, 'Lasting')).toContainText('Conversations data, External events');
});

test('pages of 25, forwards and backwards', async ({ page, workspace }) => {
  test.slow();
  const all = Array.from({ length: 60 }, (_, n) => `Key ${String(n + 1).padStart(2, '0')}`);
  for (const name of all) await createKey(workspace, name);
  const newest = all.toReversed();
  const [next, previous] = [page.getByRole('link', { name: 'Next' }), page.getByRole('link', { name: 'Previous' })];
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(names(page)).toHaveText(newest.slice(0, 25));
  await expect(previous).toHaveCount(0);

  await next.click();
  await expect(page).toHaveURL(/[?&]after=/);
  await expect(names(page)).toHaveText(newest.slice(25, 50));
  await next.click();
  await expect(names(page)).toHaveText(newest.slice(50));
  await expect(next).toHaveCount(0);
  await previous.click();
  await expect(page).toHaveURL(/[?&]before=/);
  await expect(names(page)).toHaveText(newest.slice(25, 50));
  await previous.click();
  await expect(names(page)).toHaveText(newest.slice(0, 25));
  await expect(previous).toHaveCount(0);
  await page.goBack();
  await expect(names(page)).toHaveText(newest.slice(25, 50));

  // In another order, and with a search, a page holds on to both.
  await open(page, `/${workspace.slug}/api-keys?sort=name&q=key`);
  await expect(names(page)).toHaveText(all.slice(0, 25));
  await next.click();
  await expect(names(page)).toHaveText(all.slice(25, 50));
  await expect(page).toHaveURL(/q=key&sort=name&after=/);
  await expect(page.getByLabel('Sort api keys')).toHaveValue('name');

  // A dialog comes back to the page that it was opened on.
  await page.getByRole('link', { name: 'Edit Key 30' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Key 30 edited');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Key saved.')).toBeVisible();
  await expect(page).toHaveURL(/q=key&sort=name&after=/);
  await expect(names(page)).toHaveText(all.slice(25, 50).map((name) => (name === 'Key 30' ? 'Key 30 edited' : name)));
});

test('a place in the list that is none is no server error', async ({ page, workspace }) => {
  await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  for (const query of ['after=nonsense', 'before=key-1~x', 'sort=nonsense', `q=${'x'.repeat(500)}`, 'q=%00']) {
    const response = await page.goto(`/${workspace.slug}/api-keys?${query}`);
    expect(response!.status(), query).toBeLessThan(500);
    await expect(page.getByRole('heading', { level: 1, name: 'API keys' }), query).toBeVisible();
  }
});

test('a viewer sees the list and nothing to do', async ({ page, workspace }) => {
  await createKey(workspace, 'CRM sync');
  await signIn(page, await createUser(workspace, 'viewer'));
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(card(page, 'CRM sync')).toBeVisible();
  for (const name of [/^Copy /, /^Edit /, /^Delete /, 'Copying settings']) {
    await expect(page.getByRole('link', { name })).toHaveCount(0);
    await expect(page.getByRole('button', { name })).toHaveCount(0);
  }
  await expect(page.getByRole('main').getByRole('link', { name: 'API key', exact: true })).toHaveCount(0);
});
