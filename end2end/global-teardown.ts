import { rm } from 'node:fs/promises';

/** Removes this run's database. The server is still there, and goes right after. */
export default async function globalTeardown() {
  await rm(process.env.AGENT_STUDIO_DATA_DIR!, { recursive: true, force: true });
}
