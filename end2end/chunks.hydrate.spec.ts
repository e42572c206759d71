import type { Page } from '@playwright/test';

import { expect, open, signIn, test } from './fixtures';

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

/** Marks the document, until the browser loads another one. */
const mark = (page: Page) => page.evaluate(() => void Object.assign(window, { marked: true }));
const isMarked = (page: Page) => page.evaluate(() => 'marked' in window);

const addUser = (page: Page) => page.getByRole('link', { name: 'User', exact: true });

test('the API Keys page needs no chunk', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await page.route(CHUNKS, (route) => route.abort());
  await open(page, `/${workspace.slug}/api-keys`);
  await mark(page);
  await page.getByRole('link', { name: 'Activity' }).click();
  await expect(page.getByRole('heading', { name: 'Activity' })).toBeVisible();
  await page.getByRole('link', { name: 'API keys' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  expect(await isMarked(page)).toBe(true);
});

test('the API Keys page fetches its dialogs when it is interactive', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const dialogs = page.waitForResponse(/split_key_dialogs\.wasm$/);
  await open(page, `/${workspace.slug}/api-keys`);
  expect((await dialogs).status()).toBe(200);
});

test('a chunk is fetched with its page, and a bar says so', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/activity`);
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
  await open(page, `/${workspace.slug}/activity`);
  await mark(page);
  await page.route(CHUNKS, (route) => route.fulfill({ status: 404 }));
  await page.getByRole('link', { name: 'Users' }).click();
  await expect(addUser(page)).toBeVisible();
  await expect(page).toHaveURL(`/${workspace.slug}/users`);
  expect(await isMarked(page)).toBe(false);
  // The page that the server sent works without its script.
  await addUser(page).click();
  await page.getByLabel('User e-mail').fill('chunk@example.com');
  await page.getByRole('button', { name: 'Add' }).click();
  await expect(page.getByRole('dialog', { name: 'Invitation link' })).toBeVisible();
  expect(errors).toEqual([]);
});

test('an address with a query is loaded whole too', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/activity`);
  await mark(page);
  await page.route(CHUNKS, (route) => route.fulfill({ status: 404 }));
  const address = `/${workspace.slug}/api-keys/configuration?q=desk`;
  await page.evaluate((href) => {
    const link = Object.assign(document.createElement('a'), { href, textContent: 'Configuration of desks' });
    document.querySelector('main')!.prepend(link);
  }, address);
  await page.getByRole('link', { name: 'Configuration of desks' }).click();
  await expect(page.getByRole('searchbox').last()).toHaveValue('desk');
  await expect(page).toHaveURL(address);
  expect(await isMarked(page)).toBe(false);
});

test('links work where hydration gets no chunk', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  // The page's script gets the chunk, hydration does not.
  const fetched = new Set<string>();
  await page.route(CHUNKS, (route) => {
    const first = !fetched.has(route.request().url());
    fetched.add(route.request().url());
    return first ? route.continue() : route.abort();
  });
  const refused = page.waitForEvent('requestfailed');
  await page.goto(`/${workspace.slug}/users`);
  await refused;
  await page.getByRole('link', { name: 'Activity' }).click();
  await expect(page.getByRole('heading', { name: 'Activity' })).toBeVisible();
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
