import { callApi, card, choose, cli, conversations, expect, listKeys, open, signIn, test, type Workspace } from './fixtures';
import type { Locator, Page } from '@playwright/test';

const VALUE = /^ask_[0-9A-Za-z]{38}$/;

async function openForm(page: Page, workspace: Workspace): Promise<Locator> {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/new`);
  return page.getByRole('dialog', { name: 'New API key' });
}

/** The value on the page of the key just made. */
async function shownValue(page: Page): Promise<string> {
  const field = page.getByRole('dialog', { name: 'API key created' }).getByRole('textbox', { name: 'API key' });
  await expect(field).toHaveValue(VALUE);
  return field.inputValue();
}

test('a key for all agents, shown once in full', async ({ page, request, workspace }) => {
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('CRM sync');
  await expect(form.getByRole('radio', { name: 'All agents' })).toBeChecked();
  await expect(form.getByLabel('Expiry')).toHaveValue('90d');
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();

  await expect(page).toHaveURL(new RegExp(`/${workspace.slug}/api-keys/[^/]+/created$`));
  const value = await shownValue(page);
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('textbox', { name: 'API key' })).not.toBeEditable();
  await expect(dialog.getByText('CRM sync')).toBeVisible();
  await expect(dialog.getByText('All agents')).toBeVisible();

  for (const agent of Object.values(workspace.agents)) {
    expect((await callApi(request, workspace, agent, value)).status()).toBe(200);
  }
  const answer = await (await callApi(request, workspace, workspace.agents.frontDesk, value)).json();
  expect(answer.conversations).toHaveLength(conversations.length);

  await page.reload();
  await expect(page.getByText('The key was shown once. Copy it from the list.')).toBeVisible();
  expect(await page.content()).not.toContain(value);
  await page.goto(`/${workspace.slug}/api-keys`);
  await expect(card(page, 'CRM sync')).toContainText(`${value.slice(0, 8)}************${value.slice(-4)}`);
  expect(await page.content()).not.toContain(value);
});

test('the example requests work as they are shown', async ({ page, request, workspace }) => {
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('Example');
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  const value = await shownValue(page);

  const example = await page.getByRole('region', { name: 'List the latest conversations' }).innerText();
  const [, url, header, sent] = example.match(/^curl '([^']+)' \\\s+-H "([^:]+): ([^"]+)"$/) ?? [];
  const ids = Object.values(workspace.agents).map((agent) => agent.id);
  expect(ids.map((id) => `/v3/${workspace.id}/${id}/conversations`)).toContain(new URL(url).pathname);
  expect(new URL(url).origin).toBe(new URL(page.url()).origin);
  expect([header, sent]).toEqual(['x-api-key', value]);
  expect((await request.get(url, { headers: { [header]: sent } })).status()).toBe(200);
});

test('a key for a chosen agent opens that one alone', async ({ page, request, workspace }) => {
  const { bookings, frontDesk } = workspace.agents;
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('Front desk reports');
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await choose(form, 'Chosen agents', 'Front desk');
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByLabel('Expiry').selectOption('7d');
  await form.getByRole('button', { name: 'Create key' }).click();

  const value = await shownValue(page);
  await expect(page.getByRole('region', { name: 'List the latest conversations' })).toContainText(
    `/v3/${workspace.id}/${frontDesk.id}/conversations`,
  );
  expect((await callApi(request, workspace, frontDesk, value)).status()).toBe(200);
  expect((await callApi(request, workspace, bookings, value)).status()).toBe(403);

  const [{ id }] = await listKeys(workspace);
  const stored = JSON.parse(await cli(['key', 'show', '--workspace', workspace.slug, id, '--json']));
  expect(stored.agents).toEqual([frontDesk.id]);
  expect(Date.parse(stored.expires_at) - Date.parse(stored.created_at)).toBe(7 * 86_400_000);
});

test('a key until the end of a day', async ({ page, workspace }) => {
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('Until a day');
  await form.getByRole('checkbox', { name: 'Handoff' }).check();
  await form.getByLabel('Expiry').selectOption('date');
  await form.getByLabel('Date', { exact: true }).fill('2100-02-24');
  await form.getByRole('button', { name: 'Create key' }).click();
  await shownValue(page);
  await expect(page.getByRole('region', { name: 'Get the state of a handoff' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'List the latest conversations' })).toHaveCount(0);

  const [{ id }] = await listKeys(workspace);
  const stored = JSON.parse(await cli(['key', 'show', '--workspace', workspace.slug, id, '--json']));
  expect(stored.expires_at).toBe('2100-02-24T23:59:59Z');
  expect(stored.permissions).toEqual(['handoff']);
});

test('without a permission it is refused, and what was typed is kept', async ({ page, workspace }) => {
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('Nothing granted');
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await choose(form, 'Chosen agents', 'Bookings');
  await form.getByLabel('Expiry').selectOption('1y');
  await form.getByRole('button', { name: 'Create key' }).click();

  await expect(form.getByRole('group', { name: 'Permissions' })).toContainText('Choose at least one permission.');
  await expect(form.getByLabel('Name')).toHaveValue('Nothing granted');
  await expect(form.getByRole('radio', { name: 'Chosen agents' })).toBeChecked();
  await expect(form.getByRole('group', { name: 'Agents' })).toContainText(/1 chosen|Bookings/);
  await expect(form.getByLabel('Expiry')).toHaveValue('1y');
  expect(await listKeys(workspace)).toEqual([]);

  await form.getByRole('checkbox', { name: 'External events' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  await shownValue(page);
  await expect(page.getByRole('dialog').getByText('Bookings')).toBeVisible();
});

test('without an agent it is refused', async ({ page, workspace }) => {
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('No agents');
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  await expect(form.getByRole('group', { name: 'Agents' })).toContainText('Choose at least one agent, or all agents.');
  await expect(form.getByRole('checkbox', { name: 'Conversations data' })).toBeChecked();
  expect(await listKeys(workspace)).toEqual([]);
});

test('a name of 101 characters is refused, one of 100 is not', async ({ page, workspace }) => {
  const form = await openForm(page, workspace);
  const name = form.getByLabel('Name');
  await name.fill('é'.repeat(101));
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  await expect(name).toHaveAccessibleDescription(/Use at most 100 characters for the name\./);
  await expect(name).toHaveAttribute('aria-invalid', 'true');
  await expect(name).toHaveValue('é'.repeat(101));
  await expect(form.getByRole('checkbox', { name: 'Conversations data' })).toBeChecked();
  expect(await listKeys(workspace)).toEqual([]);

  await name.fill('é'.repeat(100));
  await form.getByRole('button', { name: 'Create key' }).click();
  await shownValue(page);
  expect((await listKeys(workspace)).map((key) => key.name)).toEqual(['é'.repeat(100)]);
});

test('a date in the past is refused', async ({ page, workspace }) => {
  const form = await openForm(page, workspace);
  await form.getByLabel('Name').fill('Too late');
  await form.getByRole('checkbox', { name: 'Conversations data' }).check();
  await form.getByLabel('Expiry').selectOption('date');
  await form.getByLabel('Date', { exact: true }).fill('2020-01-31');
  await form.getByRole('button', { name: 'Create key' }).click();
  // The hint beside it says the same as soon as the date is typed; this is the server's answer.
  await expect(page.locator('#expiry-error')).toHaveText('Choose a date in the future.');
  await expect(form.getByLabel('Expiry')).toHaveAccessibleDescription(/Choose a date in the future\.$/);
  await expect(form.getByLabel('Name')).toHaveValue('Too late');
  await expect(form.getByLabel('Expiry')).toHaveValue('date');
  await expect(form.getByLabel('Date', { exact: true })).toHaveValue('2020-01-31');
  expect(await listKeys(workspace)).toEqual([]);
});

for (const name of ['Łódź 🔑 مفتاح', '<b>bold</b> & "quoted" <script>alert(1)</script>']) {
  test(`a name is shown literally: ${name}`, async ({ page, workspace }) => {
    const form = await openForm(page, workspace);
    await form.getByLabel('Name').fill(name);
    await form.getByRole('checkbox', { name: 'Conversations data' }).check();
    await form.getByRole('button', { name: 'Create key' }).click();
    await shownValue(page);
    await expect(page.getByRole('dialog').getByText(name, { exact: true })).toBeVisible();

    const [{ id }] = await listKeys(workspace);
    for (const [address, shown] of [
      ['api-keys', card(page, name)],
      [`api-keys/${id}/edit`, page.getByRole('dialog').getByRole('textbox', { name: 'Name' })],
      [`api-keys/${id}/delete`, page.getByRole('dialog').getByText(`“${name}”`)],
    ] as const) {
      await open(page, `/${workspace.slug}/${address}`);
      await expect(shown).toBeVisible();
      await expect(page.locator('b')).toHaveCount(0);
    }
    await open(page, `/${workspace.slug}/api-keys/${id}/edit`);
    await expect(page.getByRole('dialog').getByRole('textbox', { name: 'Name' })).toHaveValue(name);
  });
}
