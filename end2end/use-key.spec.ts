import { spawn } from 'node:child_process';
import { createKey, createUser, expect, open, signIn, test } from './fixtures';
import type { Page } from '@playwright/test';

const RUN: Record<string, (code: string) => string[]> = {
  curl: (code) => ['bash', '-c', `${code.replace(/^curl /, 'curl --silent --show-error --fail ')}`],
  Python: (code) => ['python3', '-c', code],
  TypeScript: (code) => ['node', '--input-type=module', '-e', code],
};

/** Runs a request as an integrator would, with the key in the environment; what it printed. */
async function run([program, ...args]: string[], key: string): Promise<string> {
  const child = spawn(program, args, { env: { ...process.env, API_KEY: key } });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text));
  const status = await new Promise((done, failed) => child.on('close', done).on('error', failed));
  return status === 0 ? printed : `failed: ${printed}`;
}

const request = (page: Page, title: string) => page.getByRole('dialog').getByRole('region', { name: title });

test('a key is used in three languages, as the page says', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync', { agents: 'front-desk', permissions: 'conversations' });
  await signIn(page, workspace.admin);
  await open(page, `/${workspace.slug}/api-keys`);
  await page.getByRole('link', { name: 'Use CRM sync' }).click();
  const dialog = page.getByRole('dialog', { name: 'Use this key' });
  await expect(dialog.getByRole('link', { name: 'curl' })).toHaveAttribute('aria-current', 'true');
  for (const [language, command] of Object.entries(RUN)) {
    await dialog.getByRole('link', { name: language }).click();
    await expect(dialog.getByRole('link', { name: language })).toHaveAttribute('aria-current', 'true');
    const titles = ['List the agents that this key covers', 'List the latest conversations', 'Get one conversation'];
    // The text is that of the language that was chosen.
    await expect(request(page, titles[0])).toContainText({ curl: '$API_KEY', Python: 'os.environ', TypeScript: 'process.env' }[language]!);
    await expect(dialog.getByRole('region')).toHaveCount(titles.length);
    for (const title of titles) {
      const code = await request(page, title).innerText();
      expect(code).not.toContain(key.key);
      const printed = await run(command(code), key.key);
      expect(printed, `${language}: ${title}`).toContain(title.includes('agents') ? workspace.agents.frontDesk.id : '"started_at":"2026-03-0');
    }
  }
  await dialog.getByRole('link', { name: 'Done' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('what a key may not do is not shown', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'Everything', { permissions: 'handoff,external-events,agents' });
  await signIn(page, await createUser(workspace, 'viewer'));
  await open(page, `/${workspace.slug}/api-keys/${key.id}/use?language=python`);
  for (const title of ['Get the state of a handoff', 'Deliver an event that a conversation waits for', 'Create an agent']) {
    await expect(request(page, title)).toContainText('urllib');
  }
  await expect(request(page, 'List the latest conversations')).toHaveCount(0);
  const printed = await run(RUN.Python(await request(page, 'Create an agent').innerText()), key.key);
  expect(printed).toContain('"agentName":"New agent"');
});

test('a key that is not there is not found', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const response = await page.goto(`/${workspace.slug}/api-keys/key-nothing/use`);
  expect(response!.status()).toBe(404);
});
