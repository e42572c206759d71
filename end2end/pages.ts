import { callApi, cli, createKey, createUser, expect, open, signIn, type Key, type Workspace } from './fixtures';
import type { Page } from '@playwright/test';

/** Every page and dialog, by name; each goes there, on a page that is not signed in yet. */
export const PAGES: Record<string, (page: Page, workspace: Workspace) => Promise<void>> = {
  'sign-in': async (page) => void (await open(page, '/sign-in')),
  'sign-in, refused': async (page, workspace) => {
    await open(page, '/sign-in');
    await page.getByLabel('E-mail').fill(workspace.admin.email);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).not.toBeEmpty();
  },
  account: async (page, workspace) => {
    await signIn(page, workspace.admin);
    await open(page, '/account');
  },
  invitation: async (page, workspace) => {
    await invite(page, workspace);
    const link = await page.getByRole('textbox', { name: 'Invitation link' }).inputValue();
    await page.context().clearCookies();
    await open(page, link);
    await expect(page.getByRole('button', { name: 'Join' })).toBeVisible();
  },
  'spent invitation': async (page) => {
    await open(page, '/invitation/nothing');
    await expect(page.getByRole('heading', { name: 'This link is no longer valid' })).toBeVisible();
  },
  'not found': async (page, workspace) => {
    await signIn(page, workspace.admin);
    await open(page, '/nothing-here/api-keys');
    await expect(page.getByRole('heading', { name: 'Not found' })).toBeVisible();
  },
  'no keys': (page, workspace) => at(page, workspace, 'api-keys'),
  keys: async (page, workspace) => {
    await createKey(workspace, 'Ended', { expiresIn: '1s' });
    await createKey(workspace, 'Ending', { expiresIn: '6d', agents: 'front-desk,bookings' });
    await createKey(workspace, LONG, { permissions: 'conversations,handoff,external-events' });
    await signIn(page, workspace.admin);
    const ended = page.getByRole('listitem').filter({ hasText: 'Ended' });
    await expect(async () => {
      await open(page, `/${workspace.slug}/api-keys`);
      await expect(ended).toContainText('Expired', { timeout: 500 });
    }).toPass();
  },
  'no matching keys': (page, workspace) => at(page, workspace, `api-keys?q=${LONG}`),
  'new key': (page, workspace) => at(page, workspace, 'api-keys/new'),
  'new key, refused': async (page, workspace) => {
    await at(page, workspace, 'api-keys/new');
    await page.getByLabel('Name', { exact: true }).fill(`${LONG}x`);
    await page.getByRole('button', { name: 'Create key' }).click();
    await expect(page.getByText('Choose at least one permission.')).toBeVisible();
  },
  'created key': async (page, workspace) => {
    await at(page, workspace, 'api-keys/new');
    await page.getByLabel('Name', { exact: true }).fill(LONG);
    await page.getByRole('checkbox', { name: 'Conversations data' }).check();
    await page.getByRole('button', { name: 'Create key' }).click();
    await expect(page.getByRole('textbox', { name: 'API key' })).toBeVisible();
  },
  'copied key': async (page, workspace) => {
    await page.addInitScript(() => {
      Reflect.deleteProperty(Navigator.prototype, 'clipboard');
      Object.assign(Document.prototype, { execCommand: () => false });
    });
    await createKey(workspace, 'CRM sync');
    await at(page, workspace, 'api-keys');
    await page.getByRole('button', { name: 'Copy CRM sync' }).click();
    await expect(page.getByRole('textbox', { name: 'API key' })).toBeVisible();
  },
  'rotate key': (page, workspace) => ofKey(page, workspace, 'rotate'),
  'pause key': (page, workspace) => ofKey(page, workspace, 'pause'),
  'key page, rotating and paused': async (page, workspace) => {
    const key = await createKey(workspace, LONG);
    await useKey(page, workspace, key);
    await cli(['key', 'rotate', '--workspace', workspace.slug, key.id, '--overlap', '7d', '--expires-in', '90d', '--json']);
    await cli(['key', 'pause', '--workspace', workspace.slug, key.id, '--reason', LONG]);
    await at(page, workspace, `api-keys/${key.id}`);
    await expect(page.getByRole('region', { name: 'Two values' })).toBeVisible();
  },
  'end old value': async (page, workspace) => {
    const key = await createKey(workspace, LONG);
    await cli(['key', 'rotate', '--workspace', workspace.slug, key.id, '--overlap', '7d', '--expires-in', '90d', '--json']);
    await at(page, workspace, `api-keys/${key.id}/end-old-value`);
  },
  'recently deleted': async (page, workspace) => {
    const key = await createKey(workspace, LONG);
    await cli(['key', 'delete', '--workspace', workspace.slug, key.id]);
    await at(page, workspace, 'api-keys/deleted');
    await expect(page.getByRole('button', { name: /Restore/ })).toBeVisible();
  },
  safety: async (page, workspace) => {
    await createKey(workspace, LONG, { expiresIn: '6d' });
    await at(page, workspace, 'safety');
    await expect(page.getByRole('heading', { name: 'No owner: 1' })).toBeVisible();
  },
  'nothing unsafe': async (page, workspace) => {
    await at(page, workspace, 'safety');
    await expect(page.getByText('Nothing to do')).toBeVisible();
  },
  policy: async (page, workspace) => {
    await createKey(workspace, LONG);
    await at(page, workspace, 'api-keys/policy?days=30');
    await expect(page.getByRole('row').filter({ hasText: LONG })).toBeVisible();
  },
  'policy, nobody hit': (page, workspace) => at(page, workspace, 'api-keys/policy?days=30'),
  'rules for keys': (page, workspace) => at(page, workspace, 'api-keys/policy/rules'),
  filters: async (page, workspace) => {
    await createKey(workspace, LONG);
    await at(page, workspace, 'api-keys/filters');
  },
  'filtered keys': async (page, workspace) => {
    await createKey(workspace, LONG);
    await at(page, workspace, 'api-keys?status=active&owner=none&idle=never&show=owner,tags,client,networks,creator');
    await expect(page.getByText('1 key', { exact: true })).toBeVisible();
  },
  'many keys': async (page, workspace) => {
    await createKey(workspace, LONG);
    await createKey(workspace, 'CRM sync', { agents: 'front-desk,bookings' });
    await at(page, workspace, 'api-keys/select');
    await expect(page.getByRole('checkbox', { name: LONG })).toBeVisible();
  },
  'no requests': (page, workspace) => at(page, workspace, 'api-keys/requests'),
  requests: async (page, workspace) => {
    await cli(['workspace', 'set-policy', '--workspace', workspace.slug, '--viewers-may-ask']);
    await signIn(page, await createUser(workspace, 'viewer'));
    await open(page, `/${workspace.slug}/api-keys/new`);
    await page.getByLabel('Name', { exact: true }).fill(LONG);
    await page.getByRole('checkbox', { name: 'Conversations data' }).check();
    await page.getByRole('button', { name: 'Send request' }).click();
    await expect(page).toHaveURL(/notice=key-requested|api-keys$/);
    await page.context().clearCookies();
    await at(page, workspace, 'api-keys/requests');
    await expect(page.getByRole('button', { name: /Approve/ })).toBeVisible();
  },
  'deleted agents': async (page, workspace) => {
    await cli(['agent', 'delete', '--workspace', workspace.slug, 'front-desk']);
    await at(page, workspace, 'agents/deleted');
    await expect(page.getByRole('button', { name: /Restore/ })).toBeVisible();
  },
  'key settings': (page, workspace) => ofKey(page, workspace, 'settings'),
  'no deleted keys': (page, workspace) => at(page, workspace, 'api-keys/deleted'),
  'undoing deletions': (page, workspace) => at(page, workspace, 'api-keys/deleted/undo-days'),
  'use key': (page, workspace) => ofKey(page, workspace, 'use'),
  'key page, never used': async (page, workspace) => {
    const key = await createKey(workspace, LONG, { agents: 'front-desk,bookings' });
    await at(page, workspace, `api-keys/${key.id}`);
    await expect(page.getByText('No requests here')).toBeVisible();
  },
  'key page': async (page, workspace) => {
    const key = await createKey(workspace, 'CRM sync');
    await useKey(page, workspace, key);
    await at(page, workspace, `api-keys/${key.id}`);
    await expect(page.getByRole('row').filter({ hasText: 'No such agent' }).first()).toBeVisible();
  },
  'refused call, asked': (page, workspace) => at(page, workspace, 'api-keys/refused'),
  'refused call': async (page, workspace) => {
    await useKey(page, workspace, await createKey(workspace, LONG));
    await at(page, workspace, 'api-keys/refused?id=call-refused');
    await expect(page.getByText('The call names an agent that this workspace does not have.')).toBeVisible();
  },
  'refused call, not found': (page, workspace) => at(page, workspace, 'api-keys/refused?id=nothing'),
  usage: (page, workspace) => at(page, workspace, 'usage?range=7d'),
  activity: async (page, workspace) => {
    await createKey(workspace, LONG);
    await at(page, workspace, 'activity');
    await expect(page.getByRole('row').filter({ hasText: LONG }).first()).toBeVisible();
  },
  'activity, nothing': (page, workspace) => at(page, workspace, 'activity?action=user-removed'),
  'edit key': (page, workspace) => ofKey(page, workspace, 'edit'),
  'delete key': (page, workspace) => ofKey(page, workspace, 'delete'),
  'copying settings': (page, workspace) => at(page, workspace, 'api-keys/settings'),
  configuration: (page, workspace) => at(page, workspace, 'api-keys/configuration'),
  'copied configuration': (page, workspace) =>
    at(page, workspace, `api-keys/configuration/copy?agent=${workspace.agents.bookings.id}`),
  'configuration for all': (page, workspace) =>
    at(page, workspace, `api-keys/configuration/apply?agent=${workspace.agents.bookings.id}`),
  agents: (page, workspace) => at(page, workspace, 'agents'),
  'new agent': (page, workspace) => at(page, workspace, 'agents/new'),
  'rename agent': (page, workspace) => at(page, workspace, `agents/${workspace.agents.bookings.id}/rename`),
  'delete agent': (page, workspace) => at(page, workspace, `agents/${workspace.agents.frontDesk.id}/delete`),
  agent: (page, workspace) => at(page, workspace, `agents/${workspace.agents.frontDesk.id}?range=7d`),
  'new variant': (page, workspace) => at(page, workspace, `agents/${workspace.agents.bookings.id}/variants/new`),
  publish: (page, workspace) => at(page, workspace, `agents/${workspace.agents.bookings.id}/deployments/publish`),
  retention: (page, workspace) => at(page, workspace, 'agents/retention'),
  users: async (page, workspace) => {
    await createUser(workspace, 'viewer');
    await invite(page, workspace);
    await open(page, `/${workspace.slug}/users`);
  },
  'new user': (page, workspace) => at(page, workspace, 'users/new'),
  invited: invite,
  'change role': (page, workspace) => ofMember(page, workspace, 'Change role of'),
  'remove user': (page, workspace) => ofMember(page, workspace, 'Remove'),
  'withdraw invitation': async (page, workspace) => {
    await invite(page, workspace);
    await open(page, `/${workspace.slug}/users`);
    await page.getByRole('link', { name: /^Withdraw the invitation of / }).click();
    await expect(page.getByRole('dialog').getByRole('button', { name: 'Withdraw' })).toBeVisible();
  },
};

/** As long as a name can be, and nowhere to break it. */
export const LONG = 'M'.repeat(100);

async function at(page: Page, workspace: Workspace, address: string) {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/${address}`);
}

/** A call that is accepted and one that is refused, and the time until they are in the log. */
export async function useKey(page: Page, workspace: Workspace, key: Key) {
  expect((await callApi(page.request, workspace, workspace.agents.frontDesk, key.key)).status()).toBe(200);
  const headers = { 'x-api-key': key.key, 'x-polyai-correlation-id': 'call-refused' };
  expect((await page.request.get(`/v3/${workspace.id}/nobody/conversations`, { headers })).status()).toBe(404);
  await page.waitForTimeout(1_000);
}

async function ofKey(page: Page, workspace: Workspace, form: string) {
  const key = await createKey(workspace, LONG);
  await at(page, workspace, `api-keys/${key.id}/${form}`);
}

async function ofMember(page: Page, workspace: Workspace, what: string) {
  const viewer = await createUser(workspace, 'viewer');
  await at(page, workspace, 'users');
  await page.getByRole('link', { name: `${what} ${viewer.email}` }).click();
  await expect(page.getByRole('dialog').getByText(viewer.email)).toBeVisible();
}

async function invite(page: Page, workspace: Workspace) {
  await at(page, workspace, 'users/new');
  await page.getByLabel('User e-mail').fill(`${'m'.repeat(60)}-${workspace.slug}@example.com`);
  await page.getByRole('button', { name: 'Add' }).click();
  await expect(page.getByRole('textbox', { name: 'Invitation link' })).toBeVisible();
}
