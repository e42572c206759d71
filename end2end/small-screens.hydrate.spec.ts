import { createAgent, createWorkspace, expect, test } from './fixtures';
import { LONG, PAGES } from './pages';

// Dialogs slide in from beyond the edge, where motion is allowed.
test.use({ viewport: { width: 360, height: 640 }, contextOptions: { reducedMotion: 'reduce' } });

for (const [name, visit] of Object.entries(PAGES)) {
  test(`nothing is wider than the screen: ${name}`, async ({ page }) => {
    const workspace = await createWorkspace(LONG);
    await createAgent(workspace, LONG);
    await visit(page, workspace);
    // A modal dialog lies above the page: the page's own width does not tell of it.
    const widths = await page.locator('html, dialog, dialog .dialog-body').evaluateAll((elements) =>
      elements.map((element) => ({ element: element.className || element.tagName, wider: element.scrollWidth - element.clientWidth })),
    );
    expect(widths.filter(({ wider }) => wider > 0)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    for (const dialog of await page.getByRole('dialog').all()) {
      const box = (await dialog.boundingBox())!;
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(360);
    }
  });
}
