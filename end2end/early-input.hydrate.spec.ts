import type { Page } from '@playwright/test';

import { expect, signIn, test } from './fixtures';

/** Holds the page's program back, as a slow line does, until the returned function is called. */
async function holdProgram(page: Page): Promise<() => void> {
  let awake = () => {};
  const asleep = new Promise<void>((resolve) => (awake = resolve));
  await page.route('**/*.wasm', async (route) => {
    await asleep;
    await route.continue();
  });
  return awake;
}

test('what is chosen before the page is awake is kept', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const awake = await holdProgram(page);
  await page.goto(`/${workspace.slug}/api-keys/new`);
  const form = page.getByRole('dialog', { name: 'New API key' });
  await form.getByLabel('Name', { exact: true }).fill('Early');
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await form.getByText('Chosen agents: ').click();
  await form.getByRole('checkbox', { name: 'Front desk' }).check();
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByLabel('Expiry').selectOption('On a date …');
  await form.getByLabel('Date').fill('2031-02-03');
  awake();
  await expect(form.getByRole('combobox', { name: 'Chosen agents' })).toBeVisible();
  await expect(form.getByRole('button', { name: 'Remove Front desk' })).toBeVisible();
  await expect(form.getByLabel('Date')).toBeVisible();
  await expect(form.getByText(/The key expires on .*2031/)).toBeVisible();
  await form.getByRole('button', { name: 'Create key' }).click();
  await expect(page.getByRole('dialog', { name: 'API key created' })).toContainText('Front desk');
});

test('a switch set before the page is awake is saved', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const awake = await holdProgram(page);
  await page.goto(`/${workspace.slug}/api-keys/configuration?agent=${workspace.agents.frontDesk.id}`);
  const transcript = page.getByRole('switch', { name: 'Conversation transcript' });
  await transcript.check();
  awake();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  await expect(transcript).toBeChecked();
  await page.reload();
  await expect(transcript).toBeChecked();
});
