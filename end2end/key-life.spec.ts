import { callApi, card, cli, createKey, expect, open, signIn, test } from './fixtures';

test('rotates a key: both values work until the old one is ended', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}`);
  await page.getByRole('link', { name: 'Rotate' }).click();
  const form = page.getByRole('dialog', { name: 'Rotate API key' });
  await form.getByLabel('The old value works').selectOption('For 7 days');
  await form.getByLabel('The new value expires in').selectOption('1 year');
  await form.getByRole('button', { name: 'Rotate' }).click();

  const rotated = page.getByRole('dialog', { name: 'API key rotated' });
  const value = await rotated.getByRole('textbox', { name: 'API key' }).inputValue();
  expect(value).not.toBe(key.key);
  const works = async (tried: string) => (await callApi(request, workspace, workspace.agents.bookings, tried)).status();
  expect([await works(key.key), await works(value)]).toEqual([200, 200]);

  const values = page.getByRole('region', { name: 'Two values' });
  // Calls are written twice a second.
  await expect(async () => {
    await open(page, `/${workspace.slug}/api-keys/${key.id}`);
    await expect(values.getByText('None since the rotation')).toHaveCount(0, { timeout: 500 });
  }).toPass();
  await expect(values.getByText(key.masked)).toBeVisible();
  await expect(page.getByRole('link', { name: 'Rotate', exact: true })).toHaveCount(0);
  await values.getByRole('link', { name: 'End the old value' }).click();
  const question = page.getByRole('dialog', { name: 'End the old value?' });
  await expect(question).toContainText('It was used in the last 24 hours');
  await question.getByRole('button', { name: 'End old value' }).click();
  await expect(page.getByText('Old value ended. It is refused from now on.')).toBeVisible();
  await expect(values).toHaveCount(0);
  expect([await works(key.key), await works(value)]).toEqual([401, 200]);
});

test('cancels a rotation', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  const rotated = JSON.parse(
    await cli(['key', 'rotate', '--workspace', workspace.slug, key.id, '--overlap', '7d', '--expires-in', '90d', '--json']),
  );
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await expect(card(page, 'CRM sync')).toContainText('Rotating until');
  await open(page, `/${workspace.slug}/api-keys/${key.id}`);
  await page.getByRole('link', { name: 'Cancel the rotation' }).click();
  await page.getByRole('button', { name: 'Cancel rotation' }).click();
  await expect(page.getByText('Rotation cancelled.')).toBeVisible();
  const works = async (tried: string) => (await callApi(request, workspace, workspace.agents.bookings, tried)).status();
  expect([await works(key.key), await works(rotated.key)]).toEqual([200, 401]);
});

test('pauses and resumes a key', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/${key.id}`);
  await page.getByRole('link', { name: 'Pause' }).click();
  const question = page.getByRole('dialog', { name: 'Pause API key?' });
  await expect(question).toContainText('Its calls: none in 30 days.');
  await question.getByLabel('Reason').fill('Seen in a chat');
  await question.getByRole('button', { name: 'Pause key' }).click();
  await expect(page.getByText('Reason: Seen in a chat')).toBeVisible();
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(401);
  await page.getByRole('link', { name: 'Resume' }).click();
  await page.getByRole('button', { name: 'Resume key' }).click();
  await expect(page.getByText('Key resumed.')).toBeVisible();
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(200);
});

test('deletes a key and restores it', async ({ page, request, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Delete CRM sync' }).click();
  const question = page.getByRole('dialog', { name: 'Delete API key?' });
  await expect(question).toContainText('You can restore it for 7 days');
  await question.getByRole('button', { name: 'Delete key' }).click();
  await expect(page.getByText('Key deleted. It is refused from now on.')).toBeVisible();
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(401);

  await page.getByRole('link', { name: 'Recently deleted' }).click();
  await expect(page.getByRole('heading', { name: 'Recently deleted' })).toBeVisible();
  await page.getByRole('button', { name: 'Restore CRM sync' }).click();
  await expect(page.getByText('Key restored.')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'CRM sync' })).toBeVisible();
  expect((await callApi(request, workspace, workspace.agents.bookings, key.key)).status()).toBe(200);
});

test('sets for how long deletions can be undone', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys/deleted`);
  await expect(page.getByText('No deleted keys')).toBeVisible();
  await page.getByRole('link', { name: 'Change' }).click();
  const days = page.getByRole('textbox', { name: 'Days' });
  await days.fill('91');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(days).toHaveAccessibleDescription(/Enter a number of days from 0 to 90\./);
  await days.fill('30');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('can be restored for 30 days')).toBeVisible();
});
