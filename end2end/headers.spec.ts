import { createKey, expect, open, signIn, test } from './fixtures';

test('each page carries the security headers', async ({ page, workspace }) => {
  const key = await createKey(workspace, 'CRM sync');
  const nonces = new Set<string>();
  const check = async (address: string) => {
    const response = await page.goto(address);
    const headers = await response!.allHeaders();
    const policy = Object.fromEntries(
      headers['content-security-policy'].split(';').map((part) => part.trim().split(/\s+/)).map(([name, ...values]) => [name, values]),
    );
    const nonce = policy['script-src'].find((source) => source.startsWith("'nonce-"));
    expect(nonce, address).toMatch(/^'nonce-[A-Za-z0-9+/_=-]{16,}'$/);
    nonces.add(nonce!);
    expect(headers['content-security-policy'], address).not.toContain('unsafe-inline');
    expect(headers['content-security-policy'], address).not.toContain("'unsafe-eval'");
    expect(policy, address).toMatchObject({
      'default-src': ["'none'"],
      'frame-ancestors': ["'none'"],
      'base-uri': ["'none'"],
      'form-action': ["'self'"],
    });
    expect(headers, address).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
    });
  };
  await check('/sign-in');
  await signIn(page, workspace.admin);
  const addresses = [
    'api-keys', 'api-keys/new', 'api-keys/settings', 'api-keys/configuration', `api-keys/${key.id}/edit`,
    `api-keys/${key.id}/delete`, `api-keys/${key.id}/created`, `api-keys/${key.id}/copy`, 'agents', 'agents/new', 'users', 'users/new',
  ];
  for (const address of addresses) await check(`/${workspace.slug}/${address}`);
  await check('/account');
  await check('/nothing-here/api-keys');
  expect(nonces.size).toBe(addresses.length + 3);
});

test('files are compressed, kept for a year, and not sent again while they are known', async ({ page }) => {
  const html = await (await page.request.get('/sign-in')).text();
  const script = html.match(/\/pkg\/\w+\/agent-studio\.js/)![0];
  const sizes = new Map<string, number>();
  for (const coding of ['br', 'gzip', 'identity']) {
    const answer = await page.request.get(script, { headers: { 'accept-encoding': coding } });
    expect(answer.status()).toBe(200);
    const { etag, ...headers } = answer.headers();
    expect(headers).toMatchObject({
      'content-type': 'text/javascript',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    });
    expect(headers['content-encoding'] ?? 'identity').toBe(coding);
    sizes.set(etag, Number(headers['content-length']));
    const again = await page.request.get(script, { headers: { 'accept-encoding': coding, 'if-none-match': etag } });
    expect(again.status()).toBe(304);
    expect(again.headers()).toMatchObject({ etag, 'cache-control': headers['cache-control'] });
  }
  const [smallest, compressed, plain] = [...sizes.values()];
  expect(smallest).toBeLessThan(compressed);
  expect(compressed).toBeLessThan(plain);
  const otherVersion = script.replace(/\w+(?=\/agent)/, '0123456789abcdef');
  for (const missing of ['/pkg/nothing.js', script.replace('.js', '.mjs'), otherVersion, '/icons/nothing.svg', '/fonts/figtree-v2.woff2']) {
    expect((await page.request.get(missing)).status(), missing).toBe(404);
  }
});

test('pages and files that are loaded at the same time keep their own headers', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const html = await (await page.request.get(`/${workspace.slug}/api-keys`)).text();
  const files = [...html.matchAll(/(?:href|src)="(\/(?:pkg|fonts|icons)\/[^"#]+)"/g)].map(([, address]) => address);
  expect(files.length).toBeGreaterThan(2);
  const policy = async (address: string) => (await page.request.get(address)).headers()['content-security-policy'];
  for (let round = 0; round < 50; round++) {
    const pages = ['api-keys', 'api-keys/new', 'agents', 'users'].map((name) => policy(`/${workspace.slug}/${name}`));
    const others = [...files, ...files].map(policy);
    for (const answer of await Promise.all(pages)) expect(answer, `page, round ${round}`).toContain("'nonce-");
    for (const answer of await Promise.all(others)) expect(answer, `file, round ${round}`).not.toContain('nonce');
  }
});

test('the session cookie is out of reach of scripts and other sites', async ({ page, workspace, context }) => {
  await signIn(page, workspace.admin);
  const [cookie, ...others] = await context.cookies();
  expect(others).toEqual([]);
  expect(cookie).toMatchObject({ name: 'agent-studio', httpOnly: true, sameSite: 'Lax', path: '/' });
});

test('a request from another site is refused', async ({ page, workspace }) => {
  await signIn(page, workspace.admin);
  const origins: Record<string, string>[] = [{ origin: 'https://example.org' }, { origin: 'null' }, {}];
  for (const headers of origins) {
    const refused = await page.request.post('/api/sign_out', { headers, form: {} });
    expect(refused.status()).toBe(403);
  }
  await page.goto(`/${workspace.slug}/api-keys`);
  await expect(page).toHaveURL(`/${workspace.slug}/api-keys`);
});

test('no page loads anything from elsewhere', async ({ page, workspace, baseURL }) => {
  const key = await createKey(workspace, 'CRM sync');
  const elsewhere: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(`${baseURL}/`)) elsewhere.push(request.url());
  });
  await open(page, '/sign-in');
  await signIn(page, workspace.admin);
  for (const address of ['api-keys', 'api-keys/new', `api-keys/${key.id}/edit`, 'api-keys/configuration', 'agents', 'users']) {
    await open(page, `/${workspace.slug}/${address}`);
  }
  await open(page, '/account');
  expect(elsewhere).toEqual([]);
});
