import { callApi, createKey, createUser, createWorkspace, expect, signIn, test } from './fixtures';

test('an admin finds no page of another workspace', async ({ page, workspace }) => {
  const other = await createWorkspace();
  const key = await createKey(other, 'Theirs');
  const viewer = await createUser(other, 'viewer');
  await signIn(page, workspace.admin);
  const keys = ['', '/new', '/settings', '/configuration', ...['created', 'copy', 'edit', 'delete'].map((form) => `/${key.id}/${form}`)];
  for (const address of [
    '',
    ...keys.map((rest) => `/api-keys${rest}`),
    '/agents',
    '/agents/new',
    `/agents/${other.agents.bookings.id}/rename`,
    '/users',
    '/users/new',
    '/users/invited',
  ]) {
    for (const id of [other.slug, other.id]) {
      const response = await page.goto(`/${id}${address}`);
      expect(response!.status(), address).toBe(404);
      await expect(page.locator('main > .state').getByRole('heading', { name: 'Not found' })).toBeVisible();
      expect(await page.content()).not.toContain(other.name);
      expect(await page.content()).not.toContain(viewer.email);
    }
  }
});

for (const form of ['edit', 'delete', 'created', 'copy']) {
  test(`a key of another workspace has no page under the own one: ${form}`, async ({ page, workspace }) => {
    const key = await createKey(await createWorkspace(), 'Theirs');
    await signIn(page, workspace.admin);
    const response = await page.goto(`/${workspace.slug}/api-keys/${key.id}/${form}`);
    expect(response!.status()).toBe(404);
    expect(await page.content()).not.toContain('Theirs');
  });
}

test('nothing of another workspace is changed or copied', async ({ page, workspace, baseURL }) => {
  const other = await createWorkspace();
  const key = await createKey(other, 'Theirs');
  await signIn(page, workspace.admin);
  for (const [call, form] of Object.entries<Record<string, string>>({
    copy_api_key: { key: key.id },
    edit_api_key: { key: key.id, name: 'Ours', 'permissions[]': 'handoff' },
    delete_api_key: { key: key.id, name: 'Theirs' },
    rename_agent: { agent: other.agents.bookings.id, name: 'Ours' },
    set_configuration: { agent: other.agents.bookings.id, transcript: 'true' },
  })) {
    for (const slug of [workspace.slug, other.slug]) {
      const answer = await page.request.post(`/api/${call}`, { form: { ...form, workspace: slug }, headers: { origin: baseURL! } });
      expect(answer.status(), `${call} in ${slug}`).toBe(404);
    }
  }
});

test('a key opens its own workspace alone', async ({ request, workspace }) => {
  const other = await createWorkspace();
  const key = await createKey(workspace, 'Ours');
  expect((await callApi(request, workspace, workspace.agents.frontDesk, key.key)).status()).toBe(200);
  const theirs = await callApi(request, other, other.agents.frontDesk, key.key);
  expect(theirs.status()).toBe(403);
  const missing = await callApi(request, { id: 'ws-00000000' }, { id: 'PROJECT-00000000' }, key.key);
  expect(missing.status()).toBe(403);
  // The same words, whether it exists or not.
  const words = async (answer: typeof theirs) => ({ ...(await answer.json()), error_id: '' });
  expect(await words(theirs)).toEqual(await words(missing));
});

test('without a key, or with one that is none, the answer is 401', async ({ request, workspace }) => {
  const call = async (key: string | undefined) => {
    const answer = await callApi(request, workspace, workspace.agents.frontDesk, key);
    expect(answer.status(), key).toBe(401);
    expect(answer.headers()['x-polyai-correlation-id']).toBeTruthy();
    const body = await answer.json();
    expect(body.error_code).toBe('AUTH_USER_INVALID_TOKEN');
    return { ...body, error_id: '' };
  };
  // A key that could be one of ours is refused like none at all.
  expect(await call('ask_000000000000000000000000000000002CGNRW')).toEqual(await call(undefined));
  // What is wrong with the form is said.
  expect((await call('nonsense')).error_message).toContain('begins with `ask_`');
  expect((await call(`ask_${'0'.repeat(38)}`)).error_message).toContain('mistyped');
});
