import { card, createKey, createUser, createWorkspace, expect, open, signIn, test, type Workspace } from './fixtures';
import type { Page } from '@playwright/test';

/** Invites somebody as an admin does; the link to hand over. */
async function invite(page: Page, workspace: Workspace, email: string, role: 'Admin' | 'Viewer'): Promise<string> {
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: 'User', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'Add user' });
  await form.getByLabel('User e-mail').fill(email);
  await form.getByRole('radio', { name: role }).check();
  await form.getByRole('button', { name: 'Add' }).click();
  await expect(page).toHaveURL(`/${workspace.slug}/users/invited`);
  const link = page.getByRole('dialog', { name: 'Invitation link' }).getByRole('textbox', { name: 'Invitation link' });
  await expect(link).toHaveValue(/^http:\/\/127\.0\.0\.1:\d+\/invitation\/[\w-]+$/);
  return link.inputValue();
}

const spent = (page: Page) => page.getByRole('heading', { name: 'This link is no longer valid' });

test('an invited viewer joins, sees the list, and can change nothing', async ({ page, browser, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  const email = `new-${workspace.slug}@example.com`;
  await signIn(page, workspace.admin);
  const link = await invite(page, workspace, email, 'Viewer');
  // The link is shown once.
  await page.reload();
  await expect(page.getByText('The link was shown once.')).toBeVisible();
  expect(await page.content()).not.toContain(link);
  await page.getByRole('dialog').getByRole('link', { name: 'Done' }).click();
  await expect(card(page, email)).toContainText('Invited');

  const fresh = await browser.newContext();
  const theirs = await fresh.newPage();
  await open(theirs, link);
  await expect(theirs.getByRole('heading', { name: `Join ${workspace.name}` })).toBeVisible();
  await expect(theirs.getByLabel('E-mail')).toHaveValue(email);
  await theirs.getByLabel('Choose a password').fill('too short');
  await theirs.getByRole('button', { name: 'Join' }).click();
  await expect(theirs.getByLabel('Choose a password')).toHaveAccessibleDescription(/Use at least 12 characters for the password\./);
  await theirs.getByLabel('Choose a password').fill('long enough to be taken');
  await theirs.getByRole('button', { name: 'Join' }).click();
  await expect(theirs.getByText('Welcome.')).toBeVisible();
  await expect(theirs).toHaveURL(new RegExp(`/${workspace.slug}/api-keys`));

  await expect(card(theirs, 'CRM sync')).toContainText(key.masked);
  for (const name of [/^Copy /, /^Edit /, /^Delete /, 'Copying settings']) {
    await expect(theirs.getByRole('link', { name })).toHaveCount(0);
    await expect(theirs.getByRole('button', { name })).toHaveCount(0);
  }
  await expect(theirs.getByRole('main').getByRole('link', { name: 'API key', exact: true })).toHaveCount(0);
  // Nor past the pages.
  const origin = new URL(link).origin;
  for (const [call, form] of Object.entries<Record<string, string>>({
    copy_api_key: { workspace: workspace.slug, key: key.id },
    delete_api_key: { workspace: workspace.slug, key: key.id, name: 'CRM sync' },
    create_api_key: { workspace: workspace.slug, name: 'x', all_agents: 'true', 'permissions[]': 'handoff', 'expiry[choice]': '7d' },
    edit_api_key: { workspace: workspace.slug, key: key.id, name: 'x', 'permissions[]': 'handoff' },
    set_keys_copyable: { workspace: workspace.slug, copyable: 'false', destroy: 'true' },
    invite_user: { workspace: workspace.slug, email: 'friend@example.com', role: 'admin' },
    set_configuration: { workspace: workspace.slug, agent: workspace.agents.bookings.id, transcript: 'true' },
    create_agent: { workspace: workspace.slug, name: 'x' },
  })) {
    const answer = await theirs.request.post(`/api/${call}`, { form, headers: { origin } });
    expect(answer.status(), call).toBe(403);
    expect(await answer.text(), call).not.toContain(key.key);
  }

  await open(page, `/${workspace.slug}/users`);
  await expect(card(page, email)).toContainText('Viewer');
  await expect(card(page, email)).not.toContainText('Invited');
  // The link works once.
  await open(theirs, link);
  await expect(spent(theirs)).toBeVisible();
  await fresh.close();
});

test('who has an account joins with its password', async ({ page, browser, workspace }) => {
  const elsewhere = (await createWorkspace()).admin;
  await signIn(page, workspace.admin);
  const link = await invite(page, workspace, elsewhere.email, 'Admin');
  const fresh = await browser.newContext();
  const theirs = await fresh.newPage();
  await open(theirs, link);
  await theirs.getByLabel('Your password').fill('not the password');
  await theirs.getByRole('button', { name: 'Join' }).click();
  await expect(theirs.getByRole('alert')).toHaveText('That e-mail and password do not match. Check both and try again.');
  await theirs.getByLabel('Your password').fill(elsewhere.password);
  await theirs.getByRole('button', { name: 'Join' }).click();
  await expect(theirs).toHaveURL(new RegExp(`/${workspace.slug}/api-keys`));
  await expect(theirs.getByRole('navigation', { name: 'Workspaces' }).getByRole('listitem')).toHaveCount(2);
  await fresh.close();
});

test('an invitation is withdrawn', async ({ page, browser, workspace }) => {
  const email = `new-${workspace.slug}@example.com`;
  await signIn(page, workspace.admin);
  const link = await invite(page, workspace, email, 'Viewer');
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: `Withdraw the invitation of ${email}` }).click();
  await page.getByRole('dialog', { name: 'Withdraw invitation?' }).getByRole('button', { name: 'Withdraw' }).click();
  await expect(page.getByText('Invitation withdrawn.')).toBeVisible();
  await expect(card(page, email)).toHaveCount(0);

  const fresh = await browser.newContext();
  const theirs = await fresh.newPage();
  await open(theirs, link);
  await expect(spent(theirs)).toBeVisible();
  await fresh.close();
});

test('an e-mail that is none, and a user that there is, are refused', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users/new`);
  const form = page.getByRole('dialog', { name: 'Add user' });
  await form.getByLabel('User e-mail').fill(workspace.admin.email.toUpperCase());
  await form.getByRole('radio', { name: 'Admin' }).check();
  await form.getByRole('button', { name: 'Add' }).click();
  await expect(form.getByLabel('User e-mail')).toHaveAccessibleDescription(/This person is already a user of this workspace\./);
  await expect(form.getByLabel('User e-mail')).toHaveValue(workspace.admin.email.toUpperCase());
  await expect(form.getByRole('radio', { name: 'Admin' })).toBeChecked();
});

const LAST_ADMIN = "This is the workspace's last admin. Make somebody else an admin first.";

test('the last admin is not removed', async ({ page, workspace }) => {
  await createUser(workspace, 'viewer');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: `Remove ${workspace.admin.email}` }).click();
  const question = page.getByRole('dialog', { name: 'Remove user?' });
  await question.getByRole('button', { name: 'Remove user' }).click();
  await expect(question.getByRole('alert')).toHaveText(LAST_ADMIN);
  await page.goto(`/${workspace.slug}/users`);
  await expect(card(page, workspace.admin.email)).toContainText('Admin');
});

test('the last admin does not become a viewer', async ({ page, workspace }) => {
  await createUser(workspace, 'viewer');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: `Change role of ${workspace.admin.email}` }).click();
  const form = page.getByRole('dialog', { name: 'Change role' });
  await form.getByRole('radio', { name: 'Viewer' }).check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByRole('alert')).toHaveText(LAST_ADMIN);
  await page.goto(`/${workspace.slug}/users`);
  await expect(card(page, workspace.admin.email)).toContainText('Admin');
});

test('a role changes, at once', async ({ page, browser, workspace }) => {
  const viewer = await createUser(workspace, 'viewer');
  const fresh = await browser.newContext();
  const theirs = await fresh.newPage();
  await signIn(theirs, viewer);
  await theirs.goto(`/${workspace.slug}/api-keys`);
  await expect(theirs.getByRole('link', { name: 'Copying settings' })).toHaveCount(0);

  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: `Change role of ${viewer.email}` }).click();
  const form = page.getByRole('dialog', { name: 'Change role' });
  await expect(form.getByRole('radio', { name: 'Viewer' })).toBeChecked();
  await form.getByRole('radio', { name: 'Admin' }).check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Role changed.')).toBeVisible();
  await expect(card(page, viewer.email)).toContainText('Admin');

  await theirs.goto(`/${workspace.slug}/api-keys`);
  await expect(theirs.getByRole('link', { name: 'Copying settings' })).toBeVisible();
  await fresh.close();
});

test('a user is removed, at once', async ({ page, browser, workspace }) => {
  const viewer = await createUser(workspace, 'viewer');
  const fresh = await browser.newContext();
  const theirs = await fresh.newPage();
  await signIn(theirs, viewer);
  expect((await theirs.goto(`/${workspace.slug}/api-keys`))!.status()).toBe(200);

  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users`);
  await page.getByRole('link', { name: `Remove ${viewer.email}` }).click();
  await page.getByRole('dialog', { name: 'Remove user?' }).getByRole('button', { name: 'Remove user' }).click();
  await expect(page.getByText('User removed.')).toBeVisible();
  await expect(card(page, viewer.email)).toHaveCount(0);
  expect((await theirs.goto(`/${workspace.slug}/api-keys`))!.status()).toBe(404);
  await fresh.close();
});
