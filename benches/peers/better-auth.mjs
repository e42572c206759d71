// A server that verifies API keys with @better-auth/api-key, with its fastest store (a map in memory) and without rate
// limits.
// Prints the key when it listens. `/revoke` revokes the key, `/restore` restores it.
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { createServer } from 'node:http';

const stored = new Map();
const auth = betterAuth({
  secret: 'a secret of this benchmark alone',
  baseURL: 'http://127.0.0.1',
  database: memoryAdapter({ user: [], session: [], account: [], verification: [], apikey: [] }),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  secondaryStorage: {
    get: (name) => stored.get(name) ?? null,
    set: (name, value) => void stored.set(name, value),
    delete: (name) => void stored.delete(name),
  },
  plugins: [apiKey({ storage: 'secondary-storage', rateLimit: { enabled: false } })],
});
const { user } = await auth.api.signUpEmail({ body: { email: 'a@example.com', password: 'a long password', name: 'A' } });
let made;
for (let n = 0; n < Number(process.argv[3]); n++) {
  made = await auth.api.createApiKey({ body: { name: `key ${n}`, userId: user.id } });
}

createServer(async (request, response) => {
  if (request.url !== '/') {
    const enabled = request.url === '/restore';
    await auth.api.updateApiKey({ body: { keyId: made.id, userId: user.id, enabled } });
    return response.writeHead(204).end();
  }
  const { valid } = await auth.api.verifyApiKey({ body: { key: request.headers['x-api-key'] ?? '' } });
  response.writeHead(valid ? 204 : 401).end();
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log(made.key));
