import { cli, expect, listKeys, open, signIn, test } from './fixtures';

// A date means the end of that day where the admin's browser is. Browsers differ in a comma.
for (const [zone, expires, words] of [
  ['America/Los_Angeles', '2100-02-25T07:59:59Z', 'Wednesday,? 24 February 2100 at 23:59:59 GMT-8'],
  ['Pacific/Kiritimati', '2100-02-24T09:59:59Z', 'Wednesday,? 24 February 2100 at 23:59:59 GMT\\+14'],
] as const) {
  test.describe(zone, () => {
    test.use({ timezoneId: zone });

    test('a date ends where the browser is', async ({ page, workspace }) => {
      await signIn(page, workspace.admin);
      await open(page, `/${workspace.slug}/api-keys/new`);
      const form = page.getByRole('dialog', { name: 'New API key' });
      await form.getByLabel('Name').fill('Until a day');
      await form.getByRole('checkbox', { name: 'Handoff' }).check();
      await expect(form.getByText(/^The key expires on .* at .* GMT[+-]\d+, in [23] months\.$/)).toBeVisible();
      await form.getByLabel('Expiry').selectOption('date');
      await form.getByLabel('Date', { exact: true }).fill('2100-02-24');
      await expect(form.getByText(new RegExp(`^The key expires on ${words}, in \\d+ years\\.$`))).toBeVisible();
      await form.getByRole('button', { name: 'Create key' }).click();
      await expect(page.getByRole('dialog', { name: 'API key created' })).toBeVisible();

      const [{ id }] = await listKeys(workspace);
      const stored = JSON.parse(await cli(['key', 'show', '--workspace', workspace.slug, id, '--json']));
      expect(stored.expires_at).toBe(expires);
    });
  });
}
