import { choose, expect, listKeys, open, signIn, test } from './fixtures';
import type { Page } from '@playwright/test';

async function signInAgain(page: Page, person: { email: string; password: string }) {
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('what was typed is back after the session ended and the visitor signed in again', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/new`);
  const form = page.getByRole('dialog', { name: 'New API key' });
  await form.getByLabel('Name').fill('Half typed');
  await form.getByRole('radio', { name: 'Chosen agents' }).check();
  await choose(form, 'Chosen agents', 'Front desk');
  await form.getByRole('checkbox', { name: 'Handoff' }).check();
  await form.getByLabel('Expiry').selectOption('30d');
  await page.context().clearCookies();
  await form.getByRole('button', { name: 'Create key' }).click();

  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await signInAgain(page, workspace.admin);
  await expect(form.getByLabel('Name')).toHaveValue('Half typed');
  await expect(form.getByRole('radio', { name: 'Chosen agents' })).toBeChecked();
  await expect(form.getByRole('button', { name: 'Remove Front desk' })).toBeVisible();
  await expect(form.getByRole('checkbox', { name: 'Handoff' })).toBeChecked();
  await expect(form.getByLabel('Expiry')).toHaveValue('30d');
  await form.getByRole('button', { name: 'Create key' }).click();
  await expect(page.getByRole('textbox', { name: 'API key' })).toBeVisible();
  expect((await listKeys(workspace)).map((key) => key.name)).toEqual(['Half typed']);

  await page.goto(`/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'API key', exact: true }).first().click();
  await expect(form.getByLabel('Name')).toHaveValue('');
});

test('a restored form that is left does not come back', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/agents/new`);
  const form = page.getByRole('dialog', { name: 'New agent' });
  await form.getByLabel('Name').fill('Night porter');
  await page.context().clearCookies();
  await form.getByRole('button', { name: 'Create agent' }).click();
  await signInAgain(page, workspace.admin);
  await expect(form.getByLabel('Name')).toHaveValue('Night porter');
  await form.getByRole('link', { name: 'Cancel' }).click();
  await expect(form).toBeHidden();
  await page.getByRole('link', { name: 'Agent', exact: true }).first().click();
  await expect(form.getByLabel('Name')).toHaveValue('');
});

for (const close of ['Escape', 'the cross']) {
  test(`${close} asks before a half-filled form is closed`, async ({ page, workspace }) => {
    await signIn(page, workspace.admin);
    await open(page, `/${workspace.slug}/api-keys/new`);
    const form = page.getByRole('dialog', { name: 'New API key' });
    const name = form.getByLabel('Name');
    const press = () => (close === 'Escape' ? page.keyboard.press('Escape') : form.getByRole('link', { name: 'Close' , exact: true }).click());
    await name.fill('Half typed');
    await press();
    await expect(form.getByRole('alert')).toContainText(['What you typed is not saved. Close all the same?']);
    await expect(form.getByRole('button', { name: 'Stay' })).toBeFocused();
    await form.getByRole('button', { name: 'Stay' }).click();
    await expect(form.getByRole('button', { name: 'Create key' })).toBeVisible();
    await expect(name).toHaveValue('Half typed');

    await press();
    await form.getByRole('link', { name: 'Close without saving' }).click();
    await expect(form).toBeHidden();
    await expect(page).toHaveURL(new RegExp(`/${workspace.slug}/api-keys$`));
  });

  test(`${close} closes a form at once in which nothing was changed`, async ({ page, workspace }) => {
    await signIn(page, workspace.admin);
    await open(page, `/${workspace.slug}/api-keys/new`);
    const form = page.getByRole('dialog', { name: 'New API key' });
    await form.getByLabel('Name').fill('Changed');
    await form.getByLabel('Name').fill('');
    if (close === 'Escape') await page.keyboard.press('Escape');
    else await form.getByRole('link', { name: 'Close', exact: true }).click();
    await expect(form).toBeHidden();
  });
}
