/** The program as it is installed, bundled and started with its embedded PostgreSQL: for figures of memory, which sources distort. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programsIn } from './fleets.ts';
import { adminClient, type ServerPlace, waitFor } from '@stella/testkit';
import type { Client } from '@stella/contract/client';

const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'packages', 'cli', 'dist', 'main.mjs');
/** A first start also makes the database cluster. */
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 60_000;

export interface BuiltServer {
  readonly client: Client;
  readonly pid: number;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>;
}

export async function startBuiltServer(place: ServerPlace): Promise<BuiltServer> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: place.directory,
    STELLA_TARGET_DIRECTORIES: place.targets,
    STELLA_LAYOUT_DIRECTORIES: place.layouts,
    STELLA_COMMAND_DIRECTORIES: programsIn(place.directory),
    STELLA_LOG_LEVEL: 'warn',
  };
  const args = [PROGRAM, 'orch', 'serve', '--data-dir', place.dataDir, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, args, { env, cwd: place.directory, stdio: ['ignore', 'ignore', 'inherit'] });
  place.children.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      place.children.delete(child);
      resolve();
    });
  });
  let found: { readonly url: string; readonly token: string } | null = null;
  await waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      found = await readAddress(place.dataDir);
      return found !== null;
    },
    { timeoutMs: START_TIMEOUT_MS, why: 'the server listens' },
  );
  return {
    client: adminClient(found ?? { url: '', token: '' }),
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Null while it is not yet there: both files are written as the server begins to listen. */
async function readAddress(dataDir: string): Promise<{ readonly url: string; readonly token: string } | null> {
  try {
    const { url } = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')) as { url: string };
    return { url, token: (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim() };
  } catch {
    // It starts.
    return null;
  }
}
