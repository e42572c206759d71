import { card, choose, expect, open, signIn, test, type Workspace } from './fixtures';
import type { Page } from '@playwright/test';

/** The first card is open from the start. */
async function openCard(page: Page, workspace: Workspace) {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/configuration`);
  return card(page, 'Bookings');
}

test('where saving fails the switch goes back and the card says so', async ({ page, workspace }) => {
  const bookings = await openCard(page, workspace);
  await page.route('**/api/set_configuration', (route) => route.abort());
  await bookings.getByRole('switch', { name: 'Conversation transcript' }).click();
  await expect(bookings.getByRole('status')).toHaveText('Not saved. The last change was undone.');
  await expect(bookings.getByRole('alert')).toContainText('The server could not be reached.');
  await expect(bookings.getByRole('switch')).not.toBeChecked();

  await page.unroute('**/api/set_configuration');
  await bookings.getByRole('switch').click();
  await expect(bookings.getByRole('status')).toHaveText('Saved');
  await expect(bookings.getByRole('switch')).toBeChecked();
  await expect(bookings.getByRole('alert')).toBeEmpty();
});

test('where saving fails the metrics go back', async ({ page, workspace }) => {
  const bookings = await openCard(page, workspace);
  await choose(bookings, 'Response metrics', 'CALL_COMPLETED');
  await expect(bookings.getByRole('status')).toHaveText('Saved');
  await page.route('**/api/set_configuration', (route) => route.abort());
  await choose(bookings, 'Response metrics', 'HANDOFF_TO');
  await expect(bookings.getByRole('status')).toHaveText('Not saved. The last change was undone.');
  await expect(bookings.getByRole('button', { name: 'Remove CALL_COMPLETED' })).toBeVisible();
  await expect(bookings.getByRole('button', { name: 'Remove HANDOFF_TO' })).toHaveCount(0);
});

test('all metrics replaces those chosen one by one, and is replaced by them', async ({ page, workspace }) => {
  const bookings = await openCard(page, workspace);
  await choose(bookings, 'Response metrics', 'CALL_COMPLETED');
  await choose(bookings, 'Response metrics', 'HANDOFF_TO');
  await expect(bookings.getByRole('button', { name: /^Remove / })).toHaveCount(2);
  await choose(bookings, 'Response metrics', 'All metrics');
  await expect(bookings.getByRole('button', { name: /^Remove / })).toHaveCount(1);
  await expect(bookings.getByRole('button', { name: 'Remove All metrics' })).toBeVisible();
  await choose(bookings, 'Response metrics', 'HANDOFF_TO');
  await expect(bookings.getByRole('button', { name: 'Remove All metrics' })).toHaveCount(0);
  await expect(bookings.getByRole('button', { name: 'Remove HANDOFF_TO' })).toBeVisible();
  await expect(bookings.getByRole('status')).toHaveText('Saved');
});

test('of changes made faster than the server saves, the last is kept', async ({ page, workspace }) => {
  const bookings = await openCard(page, workspace);
  await page.route('**/api/set_configuration', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue();
  });
  const transcript = bookings.getByRole('switch');
  for (let click = 0; click < 5; click++) await transcript.click();
  await expect(transcript).toBeChecked();
  await expect(bookings.getByRole('status')).toHaveText('Saved');
  await page.reload();
  await expect(transcript).toBeChecked();
});
