import { expect, open, signIn, test, type Person } from './fixtures';
import type { Page } from '@playwright/test';

const REFUSED = 'That e-mail and password do not match. Check both and try again.';

async function fillIn(page: Page, { email, password }: Person) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('signs in and shows the keys', async ({ page, workspace }) => {
  await open(page, '/sign-in');
  await fillIn(page, workspace.admin);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  await expect(page.getByRole('heading', { level: 1, name: 'API keys' })).toBeVisible();
  await expect(page.getByRole('link', { name: `Account of ${workspace.admin.email}` })).toBeVisible();
});

test('refuses a wrong password and keeps the e-mail', async ({ page, workspace }) => {
  await open(page, '/sign-in');
  await fillIn(page, { ...workspace.admin, password: 'not the password' });
  await expect(page.getByRole('alert')).toHaveText(REFUSED);
  await expect(page.getByLabel('E-mail')).toHaveValue(workspace.admin.email);
  await expect(page).toHaveURL(/\/sign-in/);
  await fillIn(page, workspace.admin);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
});

test('says the same to an unknown account', async ({ page, workspace }) => {
  await open(page, '/sign-in');
  await fillIn(page, { ...workspace.admin, email: `nobody-${workspace.admin.email}` });
  await expect(page.getByRole('alert')).toHaveText(REFUSED);
  await expect(page.getByLabel('E-mail')).toHaveValue(`nobody-${workspace.admin.email}`);
});

test('goes on to the page that was wanted', async ({ page, workspace }) => {
  const wanted = `/${workspace.slug}/api-keys?sort=name`;
  await open(page, wanted);
  await expect(page).toHaveURL(`/sign-in?next=${encodeURIComponent(wanted)}`);
  await fillIn(page, workspace.admin);
  await expect(page).toHaveURL(wanted);
  await expect(page.getByLabel('Sort api keys')).toHaveValue('name');
});

test('goes on to the page that was wanted after a refusal too', async ({ page, workspace }) => {
  const wanted = `/${workspace.slug}/users`;
  await open(page, wanted);
  await fillIn(page, { ...workspace.admin, password: 'not the password' });
  await expect(page.getByRole('alert')).toHaveText(REFUSED);
  await fillIn(page, workspace.admin);
  await expect(page).toHaveURL(wanted);
});

test('does not go on to other sites', async ({ page, workspace }) => {
  await open(page, `/sign-in?next=${encodeURIComponent('//example.org/')}`);
  await fillIn(page, workspace.admin);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
});

test('signs out', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, '/account');
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto(`/${workspace.slug}/api-keys`);
  await expect(page).toHaveURL(/\/sign-in\?next=/);
});

test('signs out everywhere', async ({ page, browser, workspace }) => {
  const elsewhere = await browser.newContext();
  const other = await elsewhere.newPage();
  await signIn(page, workspace.admin);
  await signIn(other, workspace.admin);
  await other.goto(`/${workspace.slug}/api-keys`);
  await expect(other.getByRole('heading', { level: 1, name: 'API keys' })).toBeVisible();

  await open(page, '/account');
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(page.getByText('You are signed out everywhere.')).toBeVisible();
  await other.goto(`/${workspace.slug}/api-keys`);
  await expect(other).toHaveURL(/\/sign-in\?next=/);
  await elsewhere.close();
});

test('changes the password, which ends sessions elsewhere', async ({ page, browser, workspace }) => {
  const elsewhere = await browser.newContext();
  const other = await elsewhere.newPage();
  await signIn(page, workspace.admin);
  await signIn(other, workspace.admin);

  await open(page, '/account');
  await page.getByLabel('Current password').fill('not the password');
  await page.getByLabel('New password').fill('another long password');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByLabel('Current password')).toHaveAccessibleDescription(/That is not your current password\./);

  await page.getByLabel('Current password').fill(workspace.admin.password);
  await page.getByLabel('New password').fill('another long password');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByText('Password changed. You were signed out everywhere else.')).toBeVisible();
  await page.goto(`/${workspace.slug}/api-keys`);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  await other.goto(`/${workspace.slug}/api-keys`);
  await expect(other).toHaveURL(/\/sign-in\?next=/);
  await elsewhere.close();
});
