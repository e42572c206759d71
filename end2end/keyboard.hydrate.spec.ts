import { createKey, expect, open, signIn, test, type Workspace } from './fixtures';
import type { Locator, Page } from '@playwright/test';

test.beforeEach(({ context }) => context.grantPermissions(['clipboard-read', 'clipboard-write']));

const isFocused = (element: Element) => element === document.activeElement;

/** Goes on with Tab until this has the focus. */
async function tabTo(page: Page, target: Locator) {
  await target.waitFor();
  for (let presses = 0; presses < 60; presses++) {
    if (await target.evaluate(isFocused)) return;
    await page.keyboard.press('Tab');
  }
  await expect(target).toBeFocused({ timeout: 1 });
}

test('with the keyboard alone, from sign-in to a copied key', async ({ page, workspace }) => {
  await open(page, '/sign-in');
  await expect(page.getByLabel('E-mail')).toBeFocused();
  await page.keyboard.type(workspace.admin.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type(workspace.admin.password);
  await page.keyboard.press('Enter');

  const opener = page.getByRole('link', { name: 'API key', exact: true }).first();
  await tabTo(page, opener);
  await page.keyboard.press('Enter');
  const form = page.getByRole('dialog', { name: 'New API key' });
  await expect(form.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('Typed blind');
  await page.keyboard.press('Tab');
  await expect(form.getByRole('radio', { name: 'All agents' })).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(form.getByRole('radio', { name: 'Chosen agents' })).toBeChecked();

  const combobox = form.getByRole('combobox', { name: 'Chosen agents' });
  await tabTo(page, combobox);
  await page.keyboard.press('ArrowDown');
  await expect(combobox).toHaveAttribute('aria-expanded', 'true');
  const active = async () => page.locator(`[id="${await combobox.getAttribute('aria-activedescendant')}"]`).innerText();
  expect(await active()).toBe('Bookings');
  await page.keyboard.press('ArrowDown');
  await expect.poll(active).toBe('Front desk');
  await page.keyboard.press('Enter');
  await expect(form.getByRole('button', { name: 'Remove Front desk' })).toBeVisible();
  await expect(form.getByRole('option', { name: 'Front desk' })).toHaveAttribute('aria-selected', 'true');
  // Escape closes the list, not the dialog.
  await page.keyboard.press('Escape');
  await expect(combobox).toHaveAttribute('aria-expanded', 'false');
  await expect(form).toBeVisible();
  // Typing narrows down; Backspace in the empty field takes back.
  await page.keyboard.type('book');
  await expect(form.getByRole('listbox', { name: 'Chosen agents' }).getByRole('option')).toHaveText(['Bookings']);
  await page.keyboard.press('Enter');
  await expect(form.getByRole('button', { name: /^Remove / })).toHaveCount(2);
  await page.keyboard.press('Backspace');
  await expect(form.getByRole('button', { name: /^Remove / })).toHaveCount(1);

  const permission = form.getByRole('checkbox', { name: 'Conversations data' });
  await tabTo(page, permission);
  await page.keyboard.press('Space');
  await expect(permission).toBeChecked();
  await tabTo(page, form.getByRole('button', { name: 'Create key' }));
  await page.keyboard.press('Enter');

  const created = page.getByRole('dialog', { name: 'API key created' });
  const field = created.getByRole('textbox', { name: 'API key' });
  await expect(field).toHaveValue(/^ask_[0-9A-Za-z]{38}$/);
  const copy = created.getByRole('button', { name: 'Copy', exact: true });
  await tabTo(page, copy);
  await page.keyboard.press('Enter');
  await expect(created.getByRole('button', { name: 'Copied', exact: true })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await field.inputValue());
  await tabTo(page, created.getByRole('link', { name: 'Done' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('heading', { name: 'Typed blind' })).toBeVisible();
});

async function openKeys(page: Page, workspace: Workspace) {
  await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
}

for (const opener of ['API key', 'Edit CRM sync', 'Delete CRM sync', 'Copying settings']) {
  test(`focus stays inside and comes back: ${opener}`, async ({ page, workspace }) => {
    await openKeys(page, workspace);
    const link = page.getByRole('link', { name: opener, exact: true });
    await tabTo(page, link);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await expect(dialog.getByRole('button').last()).toBeVisible();
    await expect.poll(() => dialog.evaluate((element) => element.contains(document.activeElement))).toBe(true);

    const reached = new Set<string>();
    for (const press of [...Array(30).fill('Tab'), ...Array(30).fill('Shift+Tab')]) {
      await page.keyboard.press(press);
      const where = await dialog.evaluate((element) => {
        const active = document.activeElement!;
        // On its way round the focus leaves the page for the browser's own controls.
        if (active === document.body) return 'body';
        return element.contains(active) ? `inside ${active.outerHTML}` : `outside ${active.outerHTML}`;
      });
      reached.add(where);
    }
    expect([...reached].filter((where) => where.startsWith('outside'))).toEqual([]);
    expect([...reached].filter((where) => where.startsWith('inside')).length).toBeGreaterThanOrEqual(3);

    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
    await expect(link).toBeFocused();
    await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
  });
}

test('leaving a new key uncopied asks first', async ({ page, workspace }) => {
  await openKeys(page, workspace);
  await open(page, `/${workspace.slug}/api-keys/new`);
  const form = page.getByRole('dialog', { name: 'New API key' });
  await form.getByLabel('Name').fill('Left behind');
  await form.getByRole('checkbox', { name: 'Handoff' }).check();
  await form.getByRole('button', { name: 'Create key' }).click();
  const created = page.getByRole('dialog', { name: 'API key created' });
  const question = created.getByText('You have not copied the key. Close all the same?');
  await expect(created.getByRole('textbox', { name: 'API key' })).toHaveValue(/^ask_/);

  await page.keyboard.press('Escape');
  await expect(question).toBeVisible();
  await tabTo(page, created.getByRole('button', { name: 'Stay' }));
  await page.keyboard.press('Enter');
  await expect(question).toBeHidden();
  await expect(created.getByRole('textbox', { name: 'API key' })).toHaveValue(/^ask_/);

  await tabTo(page, created.getByRole('link', { name: 'Done' }));
  await page.keyboard.press('Enter');
  await expect(question).toBeVisible();
  await tabTo(page, created.getByRole('link', { name: 'Close without copying' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('heading', { name: 'Left behind' })).toBeVisible();
});

test('the skip link leads to the content', async ({ page, workspace }) => {
  await openKeys(page, workspace);
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to content' });
  await expect(skip).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/#main$/);
  await page.keyboard.press('Tab');
  expect(await page.getByRole('main').evaluate((main) => main.contains(document.activeElement))).toBe(true);
});
