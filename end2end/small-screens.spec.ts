import { createAgent, createKey, createWorkspace, expect, open, signIn, test } from './fixtures';
import { LONG } from './pages';
import type { Locator } from '@playwright/test';

// Dialogs slide in from beyond the edge, where motion is allowed.
test.use({ viewport: { width: 360, height: 640 }, contextOptions: { reducedMotion: 'reduce' } });

/** Everything to read, press or fill in lies within the screen's width. */
async function expectWithinReach(within: Locator, address: string) {
  await expect(within).toBeVisible();
  for (const role of ['heading', 'link', 'button', 'textbox', 'searchbox', 'combobox', 'checkbox', 'radio', 'switch'] as const) {
    for (const element of await within.getByRole(role).all()) {
      const box = await element.boundingBox();
      if (!box) continue;
      const name = (await element.getAttribute('aria-label')) ?? (await element.textContent());
      expect(box.x, `${role} “${name}” of ${address}`).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width, `${role} “${name}” of ${address}`).toBeLessThanOrEqual(360);
    }
  }
}

test('everything is within reach on a small screen', async ({ page }) => {
  test.slow();
  const workspace = await createWorkspace(LONG);
  await createAgent(workspace, LONG);
  const key = await createKey(workspace, LONG);
  await open(page, '/sign-in');
  await expectWithinReach(page.getByRole('main'), '/sign-in');
  await signIn(page, workspace.admin);
  await open(page, '/account');
  await expectWithinReach(page.getByRole('main'), '/account');
  for (const address of ['api-keys', 'api-keys/configuration', 'agents', 'users']) {
    await open(page, `/${workspace.slug}/${address}`);
    await expectWithinReach(page.getByRole('main'), address);
    await expectWithinReach(page.getByRole('navigation', { name: 'Workspaces' }), address);
  }
  for (const address of ['new', `${key.id}/edit`, `${key.id}/delete`, 'settings'].map((form) => `api-keys/${form}`).concat('agents/new', 'users/new')) {
    await open(page, `/${workspace.slug}/${address}`);
    await expectWithinReach(page.getByRole('dialog'), address);
  }
});
