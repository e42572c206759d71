import { callApi, card, choose, conversations, createKey, createUser, expect, open, signIn, test, type Key, type Workspace } from './fixtures';
import type { APIRequestContext, Locator, Page } from '@playwright/test';

/** What the API answers of the front desk's conversations, oldest first, as the file has them. */
async function answered(request: APIRequestContext, workspace: Workspace, key: Key) {
  const answer = await callApi(request, workspace, workspace.agents.frontDesk, key.key);
  expect(answer.status()).toBe(200);
  return (await answer.json()).conversations.reverse();
}

async function openCard(page: Page, workspace: Workspace): Promise<Locator> {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/configuration`);
  return unfold(page);
}

async function unfold(page: Page): Promise<Locator> {
  const frontDesk = card(page, 'Front desk');
  const header = frontDesk.getByRole('link', { name: 'Front desk' });
  if ((await header.getAttribute('aria-expanded')) === 'false') await header.click();
  await expect(frontDesk.getByRole('switch', { name: 'Conversation transcript' })).toBeVisible();
  return frontDesk;
}

/** Saved as it is made, where there is JavaScript; else with the button. The card, as it is then. */
async function saved(page: Page, frontDesk: Locator, javaScriptEnabled: boolean): Promise<Locator> {
  if (javaScriptEnabled) {
    await expect(frontDesk.getByRole('button', { name: 'Save' })).toBeHidden();
    await expect(frontDesk.getByRole('status')).toHaveText('Saved');
    return frontDesk;
  }
  await frontDesk.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Configuration saved.')).toBeVisible();
  return unfold(page);
}

test('a fresh agent lets nothing through', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  const all = await answered(request, workspace, key);
  expect(all.map((c: { id: string }) => c.id)).toEqual(conversations.map((c) => c.id));
  for (const [at, conversation] of all.entries()) {
    expect(conversation).toMatchObject({ metrics: {}, turns: [], handoff_reason: '', handoff_destination: '' });
    expect(conversation.num_turns).toBe(conversations[at].turns.length);
  }
  const frontDesk = await openCard(page, workspace);
  await expect(frontDesk.getByRole('switch', { name: 'Conversation transcript' })).not.toBeChecked();
});

test('transcript', async ({ page, request, workspace, javaScriptEnabled }) => {
  const key = await createKey(workspace, 'CRM sync');
  let frontDesk = await openCard(page, workspace);
  await frontDesk.getByRole('switch', { name: 'Conversation transcript' }).check();
  frontDesk = await saved(page, frontDesk, javaScriptEnabled);
  await expect(frontDesk.getByRole('switch')).toBeChecked();
  for (const [at, conversation] of (await answered(request, workspace, key)).entries()) {
    expect(conversation.turns).toHaveLength(conversations[at].turns.length);
    expect(conversation.turns[0]).toMatchObject({ user_input: (conversations[at].turns[0] as { user_input: string }).user_input });
    expect(conversation.metrics).toEqual({});
  }

  await page.reload();
  await open(page, page.url());
  frontDesk = await unfold(page);
  await expect(frontDesk.getByRole('switch')).toBeChecked();
  await frontDesk.getByRole('switch').uncheck();
  await saved(page, frontDesk, javaScriptEnabled);
  for (const conversation of await answered(request, workspace, key)) expect(conversation.turns).toEqual([]);
});

test('a metric and its twin, and no others', async ({ page, request, workspace, javaScriptEnabled }) => {
  const key = await createKey(workspace, 'CRM sync');
  const frontDesk = await openCard(page, workspace);
  await choose(frontDesk, 'Response metrics', 'HANDOFF_REASON');
  await saved(page, frontDesk, javaScriptEnabled);
  for (const [at, conversation] of (await answered(request, workspace, key)).entries()) {
    const { HANDOFF_REASON } = conversations[at].metrics;
    expect(conversation.metrics).toEqual(HANDOFF_REASON ? { HANDOFF_REASON } : {});
    expect(conversation.handoff_reason).toBe(HANDOFF_REASON ?? '');
    expect(conversation.handoff_destination).toBe('');
    expect(conversation.turns).toEqual([]);
  }
});

test('a metric of this agent alone is offered', async ({ page, request, workspace, javaScriptEnabled }) => {
  const key = await createKey(workspace, 'CRM sync');
  const frontDesk = await openCard(page, workspace);
  await choose(frontDesk, 'Response metrics', 'ROOM_TYPE');
  await saved(page, frontDesk, javaScriptEnabled);
  const metrics = (await answered(request, workspace, key)).map((c: { metrics: object }) => c.metrics);
  expect(metrics).toEqual(conversations.map((c) => (c.metrics.ROOM_TYPE ? { ROOM_TYPE: c.metrics.ROOM_TYPE } : {})));
});

test('all metrics, and none again', async ({ page, request, workspace, javaScriptEnabled }) => {
  const key = await createKey(workspace, 'CRM sync');
  let frontDesk = await openCard(page, workspace);
  await choose(frontDesk, 'Response metrics', 'All metrics');
  frontDesk = await saved(page, frontDesk, javaScriptEnabled);
  for (const [at, conversation] of (await answered(request, workspace, key)).entries()) {
    const { metrics, handoff_reason, handoff_destination } = conversations[at];
    expect(conversation).toMatchObject({ handoff_reason, handoff_destination });
    expect(conversation.metrics).toEqual(metrics);
  }

  await frontDesk.getByRole('switch').check();
  frontDesk = await saved(page, frontDesk, javaScriptEnabled);
  await expect.poll(async () => (await answered(request, workspace, key))[0].turns.length).toBeGreaterThan(0);
  await frontDesk.getByRole('button', { name: 'Clear configuration settings' }).click();
  if (!javaScriptEnabled) {
    await expect(page.getByText('Configuration saved.')).toBeVisible();
    frontDesk = await unfold(page);
  }
  await expect(frontDesk.getByRole('switch')).not.toBeChecked();
  await expect
    .poll(async () => (await answered(request, workspace, key)).map((c: Record<string, unknown>) => [c.metrics, c.turns]))
    .toEqual(conversations.map(() => [{}, []]));
});

test('a viewer sees it and cannot change it', async ({ page, workspace }) => {
  await signIn(page, await createUser(workspace, 'viewer'));
  await open(page, `/${workspace.slug}/api-keys/configuration`);
  const frontDesk = await unfold(page);
  await expect(frontDesk.getByRole('switch')).toBeDisabled();
  await expect(frontDesk.getByRole('button', { name: /Save|Clear/ })).toHaveCount(0);
});

test('one card is open at a time, and the address names it', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/configuration`);
  const [bookings, frontDesk] = [card(page, 'Bookings'), card(page, 'Front desk')];
  await expect(bookings.getByRole('switch')).toBeVisible();
  await expect(frontDesk.getByRole('switch')).toHaveCount(0);
  await expect(frontDesk).toContainText('No metrics, no transcripts, caller numbers shown');
  await frontDesk.getByRole('link', { name: 'Front desk' }).click();
  await expect(frontDesk.getByRole('switch')).toBeVisible();
  await expect(bookings.getByRole('switch')).toHaveCount(0);
  await expect(page).toHaveURL(new RegExp(`agent=${workspace.agents.frontDesk.id}$`));
  await page.goBack();
  await expect(bookings.getByRole('switch')).toBeVisible();
  await bookings.getByRole('link', { name: 'Bookings' }).click();
  await expect(page.getByRole('switch')).toHaveCount(0);
});

test('a preview beside the switches shows what an integrator gets', async ({ page, workspace, javaScriptEnabled }) => {
  let frontDesk = await openCard(page, workspace);
  const preview = () => frontDesk.getByRole('region', { name: 'Latest conversation in API responses' });
  const latest = conversations.at(-1) as (typeof conversations)[number];
  await expect(preview()).toContainText(`"id": "${latest.id}"`);
  await expect(preview()).toContainText('"turns": []');
  await frontDesk.getByRole('switch').check();
  frontDesk = await saved(page, frontDesk, javaScriptEnabled);
  await expect(preview()).not.toContainText('"turns": []');
  await expect(preview()).toContainText('"user_input"');
});

test('a configuration is copied to one agent, and to all', async ({ page, workspace, javaScriptEnabled }) => {
  let frontDesk = await openCard(page, workspace);
  await choose(frontDesk, 'Response metrics', 'HANDOFF_TO');
  frontDesk = await saved(page, frontDesk, javaScriptEnabled);
  await frontDesk.getByRole('switch').check();
  frontDesk = await saved(page, frontDesk, javaScriptEnabled);

  const bookings = card(page, 'Bookings');
  await bookings.getByRole('link', { name: 'Bookings' }).click();
  await expect(bookings.getByRole('switch')).not.toBeChecked();
  await bookings.getByRole('link', { name: 'Copy from another agent' }).click();
  const dialog = page.getByRole('dialog', { name: 'Copy from another agent' });
  await dialog.getByLabel('Copy from').selectOption('Front desk');
  await dialog.getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByText('Configuration saved.')).toBeVisible();
  await expect(bookings.getByRole('switch')).toBeChecked();

  await bookings.getByRole('button', { name: 'Clear configuration settings' }).click();
  await expect(bookings.getByRole('switch')).not.toBeChecked();
  if (javaScriptEnabled) await expect(bookings.getByRole('status')).toHaveText('Saved');
  await bookings.getByRole('link', { name: 'Apply to all agents' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Apply to all agents' }).click();
  await expect(page.getByText('Configuration saved.')).toBeVisible();
  await expect(card(page, 'Front desk')).toContainText('No metrics, no transcripts');
});
