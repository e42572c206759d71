import type { Page } from '@playwright/test';

import { expect, signIn, test } from './fixtures';

const CHUNKS = /\/pkg\/\w+\/(split|chunk)_\w+\.wasm$/;

/** Holds the chunks of the page's program back, but for those that may pass, until the returned function is called. */
async function holdChunks(page: Page, mayPass: (url: string) => boolean = () => false): Promise<() => void> {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route(CHUNKS, async (route) => {
    if (!mayPass(route.request().url())) await held;
    await route.continue();
  });
  return release;
}

const addUser = (page: Page) => page.getByRole('link', { name: 'User', exact: true });

test('the API Keys page needs no chunk', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await page.route(CHUNKS, (route) => route.abort());
  await page.goto(`/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Activity' }).click();
  await expect(page.getByRole('heading', { name: 'Activity' })).toBeVisible();
  await page.evaluate(() => (window.name = 'same page'));
  await page.getByRole('link', { name: 'API keys' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  expect(await page.evaluate(() => window.name)).toBe('same page');
});

test('a chunk is fetched with its page, and a bar says so', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await page.goto(`/${workspace.slug}/activity`);
  await expect(page.locator('html')).not.toHaveAttribute('data-fetching');
  const release = await holdChunks(page);
  await page.getByRole('link', { name: 'Users' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-fetching');
  release();
  await expect(addUser(page)).toBeVisible();
  await expect(page.locator('html')).not.toHaveAttribute('data-fetching');
});

test('where a chunk is gone, the server sends the whole page', async ({ page, workspace }) => {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await signIn(page, workspace.admin);
  await page.goto(`/${workspace.slug}/activity`);
  await page.route(CHUNKS, (route) => route.fulfill({ status: 404 }));
  await page.evaluate(() => ((window as unknown as { old: boolean }).old = true));
  await page.getByRole('link', { name: 'Users' }).click();
  await expect(addUser(page)).toBeVisible();
  await expect(page).toHaveURL(`/${workspace.slug}/users`);
  expect(await page.evaluate(() => 'old' in window)).toBe(false);
  // The page that the server sent works without its script.
  await addUser(page).click();
  await page.getByLabel('User e-mail').fill('chunk@example.com');
  await page.getByRole('button', { name: 'Add' }).click();
  await expect(page.getByRole('dialog', { name: 'Invitation link' })).toBeVisible();
  expect(errors).toEqual([]);
});

test('what is entered while hydration waits is kept', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  // The page's script has fetched the chunk when hydration asks for it a second time.
  const fetched = new Set<string>();
  const release = await holdChunks(page, (url) => !fetched.has(url) && fetched.add(url).has(url));
  await page.goto(`/${workspace.slug}/api-keys/new`);
  await expect(page.locator('html')).toHaveAttribute('data-fetching');
  const form = page.getByRole('dialog', { name: 'New API key' });
  await form.getByLabel('Name', { exact: true }).fill('Between');
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await form.getByText('Chosen agents: ').click();
  await form.getByRole('checkbox', { name: 'Front desk' }).check();
  release();
  await expect(form.getByRole('button', { name: 'Remove Front desk' })).toBeVisible();
  await expect(form.getByLabel('Name', { exact: true })).toHaveValue('Between');
});
