import { defineConfig } from '@playwright/test';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(__dirname, '..');
const address = '127.0.0.1:3417';
const baseURL = `http://${address}`;

// Workers read this file too, and must see what the runner chose.
if (process.env.TEST_WORKER_INDEX === undefined) {
  const target = path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
  const binary = path.resolve(root, process.env.AGENT_STUDIO_BIN ?? path.join(target, 'release/agent-studio'));
  // What is set for another server, its database above all, must not reach the one under test.
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AGENT_STUDIO_') || name === 'DATABASE_URL') delete process.env[name];
  }
  process.env.AGENT_STUDIO_BIN = binary;
  // The server makes it; global-teardown.ts removes it.
  process.env.AGENT_STUDIO_DATA_DIR = path.join(tmpdir(), `agent-studio-test-${randomUUID()}`);
  // Sign-ins are limited by address, and all tests come from one: each sends an X-Forwarded-For of its own.
  process.env.AGENT_STUDIO_BEHIND_PROXY = 'true';
}

const systemChromium = process.env.CHROMIUM ?? '/usr/bin/chromium';

export default defineConfig({
  testDir: __dirname,
  outputDir: path.join(root, 'test-results'),
  globalTeardown: path.join(__dirname, 'global-teardown.ts'),
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  retries: 0,
  workers: 2,
  reporter: 'list',
  expect: { timeout: 10_000 },
  use: {
    baseURL,
    locale: 'en-GB',
    timezoneId: 'Europe/London',
    trace: 'retain-on-failure',
    launchOptions: {
      // Playwright's own browser where the system has none.
      executablePath: existsSync(systemChromium) ? systemChromium : undefined,
      args: [
        // Quiet: no traffic of the browser's own among that of the pages.
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
        // Chromium's sandbox refuses to start as root, which containers run as.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
    },
  },
  projects: [
    { name: 'with JavaScript' },
    { name: 'without JavaScript', testIgnore: '**/*.hydrate.spec.ts', use: { javaScriptEnabled: false } },
  ],
  webServer: {
    command: `"${process.env.AGENT_STUDIO_BIN}" serve --listen ${address}`,
    // Not the project's folder: the program carries the pages' files.
    cwd: tmpdir(),
    url: `${baseURL}/sign-in`,
    // Another server on this port is not the one under test.
    reuseExistingServer: false,
  },
});
