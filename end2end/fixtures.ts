import { test as base, expect, type APIRequestContext, type Locator, type Page } from '@playwright/test';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export { expect };

export type Person = { email: string; password: string };
export type Agent = { id: string; slug: string; name: string };
export type Workspace = { id: string; slug: string; name: string; admin: Person; agents: { bookings: Agent; frontDesk: Agent } };
export type Key = { id: string; name: string; key: string; masked: string; permissions: string[] };

/** What each new workspace's front desk has: the lines of conversations.jsonl, oldest first. */
const conversationsFile = path.join(__dirname, 'conversations.jsonl');
export const conversations: Array<{ id: string; metrics: Record<string, string>; turns: object[]; handoff_reason: string; handoff_destination: string }> =
  readFileSync(conversationsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line));

/** Runs the program's command line on the data of the server under test; what it printed. */
export async function cli(args: string[], stdin = ''): Promise<string> {
  const child = spawn(process.env.AGENT_STUDIO_BIN!, args);
  let printed = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (complaint += text));
  // A command that reads nothing may be done before this is written.
  child.stdin.on('error', () => {}).end(stdin);
  const status = await new Promise((done, failed) => child.on('close', done).on('error', failed));
  if (status !== 0) throw new Error(`agent-studio ${args.join(' ')}: ${complaint}`);
  return printed;
}

/** Unique in this run: workers are numbered, and count what they make. */
let made = 0;
const unique = () => `${process.env.TEST_WORKER_INDEX}-${++made}`;

/** A workspace with two agents, conversations of one of them, and an admin. */
export async function createWorkspace(name = `Acme ${unique()}`): Promise<Workspace> {
  const workspace = JSON.parse(await cli(['workspace', 'create', '--name', name, '--json']));
  const [bookings, frontDesk, admin] = await Promise.all([
    createAgent(workspace, 'Bookings'),
    createAgent(workspace, 'Front desk'),
    createUser(workspace, 'admin'),
  ]);
  await cli(['import', '--workspace', workspace.slug, '--agent', frontDesk.id, conversationsFile]);
  return { ...workspace, admin, agents: { bookings, frontDesk } };
}

export async function createAgent(workspace: { slug: string }, name: string): Promise<Agent> {
  return JSON.parse(await cli(['agent', 'create', '--workspace', workspace.slug, '--name', name, '--json']));
}

export async function createUser(workspace: { slug: string }, role: 'admin' | 'viewer'): Promise<Person> {
  const person = { email: `${role}-${unique()}@example.com`, password: 'a long enough password' };
  const args = ['user', 'create', '--workspace', workspace.slug, '--email', person.email, '--role', role];
  await cli([...args, '--password-stdin', '--json'], `${person.password}\n`);
  return person;
}

type KeyOptions = { agents?: string; permissions?: string; expiresIn?: string };

export async function createKey(workspace: { slug: string }, name: string, options: KeyOptions = {}): Promise<Key> {
  const { agents = 'all', permissions = 'conversations', expiresIn = '90d' } = options;
  const args = ['key', 'create', '--workspace', workspace.slug, '--name', name, '--agents', agents];
  return JSON.parse(await cli([...args, '--permissions', permissions, '--expires-in', expiresIn, '--json']));
}

export async function listKeys(workspace: { slug: string }): Promise<Array<Omit<Key, 'key'>>> {
  return JSON.parse(await cli(['key', 'list', '--workspace', workspace.slug, '--json']));
}

/** Signs a page's browser in, with the sign-in form's own request. */
export async function signIn(page: Page, person: Person) {
  const origin = new URL(base.info().project.use.baseURL!).origin;
  const response = await page.request.post('/api/sign_in', { form: person, headers: { origin } });
  expect(response.status()).toBe(200);
}

/** What an integrator does with a key. */
export function callApi(
  request: APIRequestContext,
  workspace: { id: string },
  agent: { id: string },
  key: string | undefined,
  query: Record<string, string> = {},
) {
  const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key };
  return request.get(`/v3/${workspace.id}/${agent.id}/conversations`, { headers, params: query });
}

/** Goes to a page, and waits until it is awake, where there is JavaScript to wake it. */
export async function open(page: Page, address: string) {
  if (base.info().project.use.javaScriptEnabled === false) return page.goto(address);
  if (!marked.has(page)) {
    marked.add(page);
    await page.addInitScript(markWhenListening);
  }
  const response = await page.goto(address);
  // Pages with the rail show its search once they are awake; the others are so when somebody listens to their form.
  const searchable = page.locator('.rail-search:not([hidden])');
  const listening = page.locator('html[data-listening] main.door');
  const nothingToDo = page.locator('main').filter({ hasNot: page.locator('form') }).filter({ has: page.locator('.state') });
  await expect(searchable.or(listening).or(nothingToDo).first()).toBeAttached();
  return response;
}

const marked = new WeakSet<Page>();

function markWhenListening() {
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (...args: Parameters<typeof add>) {
    if (args[0] === 'submit') document.documentElement.dataset.listening = '';
    return add.apply(this, args);
  };
}

/** The list entry of the thing with this name. */
export function card(page: Page, name: string): Locator {
  return page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 2, name, exact: true }) });
}

/** Chooses in a multi-select: in its combobox, or in the list of checkboxes that it is without JavaScript. */
export async function choose(within: Locator, label: string, option: string) {
  if (base.info().project.use.javaScriptEnabled === false) {
    const box = within.getByRole('checkbox', { name: option, exact: true });
    if (!(await box.isVisible())) await within.getByText(`${label}: `).click();
    await box.check();
  } else {
    const combobox = within.getByRole('combobox', { name: label });
    await combobox.click();
    await within.getByRole('option', { name: option, exact: true }).click();
    // The open list lies over what comes below.
    await combobox.press('Escape');
  }
}

export const test = base.extend<{ workspace: Workspace; noServerErrors: void }>({
  extraHTTPHeaders: async ({}, use) => {
    const [worker, count] = unique().split('-').map(Number);
    await use({ 'x-forwarded-for': `10.${worker % 256}.${Math.floor(count / 256) % 256}.${count % 256}` });
  },
  workspace: async ({}, use) => use(await createWorkspace()),
  // Nothing that a test does may be answered with a server error.
  noServerErrors: [
    async ({ context }, use) => {
      const errors: string[] = [];
      context.on('response', (response) => {
        if (response.status() >= 500) errors.push(`${response.status()} ${response.url()}`);
      });
      await use();
      expect(errors).toEqual([]);
    },
    { auto: true },
  ],
});
