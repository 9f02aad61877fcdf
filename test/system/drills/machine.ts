/** A machine on which a real orchestrator runs as a managed service, with an admin and a second person at the command line. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, makeClient } from '@stella/contract/client';
import { findFreePort, makeServerPlace, type ServerPlace } from '@stella/testkit';

const ROOT = join(import.meta.dirname, '../../..');
const PROGRAM = join(ROOT, 'packages/cli/dist/main.mjs');
/** Of the longest: all drills, on a loaded machine. */
const COMMAND_TIMEOUT_MS = 900_000;
const CALL_TIMEOUT_MS = 60_000;

export interface Machine {
  readonly place: ServerPlace;
  /** Directory of drills, which the server allows for targets and layouts. */
  readonly drills: string;
  readonly admin: Client;
  readonly bo: Client;
  /** File with the token of the second person, who may approve everywhere. */
  readonly approverTokenFile: string;
  /** Runs `stella` as the admin; answers what it said, whatever its exit code. */
  stella(...args: readonly string[]): Promise<Said>;
  remove(): Promise<void>;
}

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function bootMachine(): Promise<Machine> {
  const place = await makeServerPlace();
  // Short, because the sockets of orchestrators lie below it.
  const drills = join(place.directory, 'd');
  mkdirSync(drills);
  mkdirSync(place.targets);
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: place.directory,
    STELLA_CONFIG: join(place.directory, 'admin.json'),
    STELLA_DATA_DIR: place.dataDir,
  };
  const stella: Machine['stella'] = (...args) =>
    run(process.execPath, [PROGRAM, ...args], { cwd: place.directory, env });
  const served = {
    ...env,
    STELLA_LISTEN: `127.0.0.1:${await findFreePort()}`,
    STELLA_TARGET_DIRECTORIES: `${drills}:${place.targets}`,
    STELLA_LAYOUT_DIRECTORIES: `${drills}:${place.layouts}`,
    STELLA_COMMAND_DIRECTORIES: drills,
    STELLA_SECRETS_DIRECTORY: drills,
  };
  const install = ['service', 'install', 'orchestrator', '--manager', 'supervisor'];
  await must(run(process.execPath, [PROGRAM, ...install], { cwd: place.directory, env: served }));
  await must(stella('service', 'start', 'orchestrator'));
  const admin = clientOf(place, readFileSync(join(place.dataDir, 'admin.token'), 'utf8').trim());
  const { code } = await admin.call('createPerson', { body: { subject: 'bo', roles: ['approver@*'] } });
  const { token } = await admin.call('login', { body: { code } });
  const approverTokenFile = join(place.directory, 'bo.token');
  writeFileSync(approverTokenFile, token, { mode: 0o600 });
  return {
    place,
    drills,
    admin,
    bo: clientOf(place, token),
    approverTokenFile,
    stella,
    async remove() {
      // Of those that were cut off.
      await stella('drill', 'stop', '--all', '--directory', drills);
      await stella('service', 'stop', 'orchestrator');
      await place.remove();
    },
  };
}

function clientOf({ dataDir }: ServerPlace, token: string): Client {
  // Written by the server.
  const { url } = JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as { readonly url: string };
  return makeClient({ server: url, token, timeoutMs: CALL_TIMEOUT_MS });
}

async function must(said: Promise<Said>): Promise<void> {
  const { code, stderr } = await said;
  if (code !== 0) throw new Error(stderr);
}

function run(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Said> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { cwd, env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 16 * 1_048_576 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
