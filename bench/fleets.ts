/** Two hundred targets of one kind, as definitions for a server, and the same work by a plain program. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerPlace } from '@stella/testkit';
import { deployPlainly, inTurns } from './plain-deploy.ts';

const FILES = 10;
const FILE_BYTES = 4_096;
const PROGRAM_TIMEOUT_MS = 60_000;

export interface Fleet {
  readonly kind: 'files' | 'command';
  /** One entry of `targets` for each name, as YAML. */
  readonly entryOf: (name: string) => string;
  /** The same changes at places beside those of the server. */
  readonly deployWithout: (names: readonly string[], round: number, atOnce: number) => Promise<void>;
}

/** What each release carries. */
export function filesOf(release: number): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (let index = 0; index < FILES; index += 1) {
    files[`page-${index}.html`] = `${release} ${index} `.padEnd(FILE_BYTES, 'x');
  }
  return files;
}

export function filesFleet({ directory, targets }: ServerPlace): Fleet {
  return {
    kind: 'files',
    entryOf: (name) => `{ name: ${name}, kind: files, component: web, directory: ${join(targets, name)} }`,
    deployWithout: (names, round, atOnce) =>
      deployPlainly({
        directories: names.map((name) => join(directory, 'plain', name)),
        files: filesOf(round),
        release: `r-${round}`,
        atOnce,
      }),
  };
}

/** Its programs keep what runs in a file: all else is what the kind itself costs, with its fence on this machine. */
export async function commandFleet({ directory, targets }: ServerPlace): Promise<Fleet> {
  const programs = programsIn(directory);
  const running = join(directory, 'running');
  await Promise.all([programs, running].map((path) => mkdir(path, { recursive: true })));
  const deploy = await makeProgram(join(programs, 'deploy'), 'printf "%s" "$STELLA_DIGEST" >"$1"');
  const observe = await makeProgram(join(programs, 'observe'), '[ ! -e "$1" ] || cat "$1"');
  const entryOf = (name: string): string => {
    const state = join(running, name);
    const own = `deploy: [${deploy}, ${state}], observe: [${observe}, ${state}], stateDirectory: ${join(targets, name)}`;
    return `{ name: ${name}, kind: command, component: web, ${own} }`;
  };
  const run = promisify(execFile);
  const deployWithout: Fleet['deployWithout'] = (names, round, atOnce) =>
    inTurns(names, atOnce, async (name) => {
      const state = join(running, `plain-${name}`);
      const env = { STELLA_DIGEST: String(round) };
      await run(deploy, [state], { env, timeout: PROGRAM_TIMEOUT_MS });
      const { stdout } = await run(observe, [state], { timeout: PROGRAM_TIMEOUT_MS });
      if (stdout !== String(round)) throw new Error(`${name} runs ${stdout}`);
    });
  return { kind: 'command', entryOf, deployWithout };
}

/** Where the programs of targets are; a server must be told. */
export function programsIn(directory: string): string {
  return join(directory, 'programs');
}

async function makeProgram(path: string, line: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
  return path;
}
