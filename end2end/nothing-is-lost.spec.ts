import { expect, open, signIn, test } from './fixtures';

test('what was typed is back after the session ended, on the page where it was typed', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/users/new`);
  await page.getByRole('dialog').getByLabel('E-mail').fill('colleague@example.com');
  await page.context().clearCookies();
  await page.getByRole('dialog').getByRole('button').last().click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel('E-mail').fill(workspace.admin.email);
  await page.getByLabel('Password').fill(workspace.admin.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('dialog').getByLabel('E-mail')).toHaveValue('colleague@example.com');
});
