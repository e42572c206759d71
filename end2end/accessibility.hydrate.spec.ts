import AxeBuilder from '@axe-core/playwright';
import { expect, test } from './fixtures';
import { PAGES } from './pages';

for (const [name, visit] of Object.entries(PAGES)) {
  test(`no violation, light or dark: ${name}`, async ({ page, workspace }) => {
    // What still moves or fades has other colours for a moment.
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await visit(page, workspace);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
      const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
      const found = violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html) }));
      expect(found, colorScheme).toEqual([]);
    }
  });
}
