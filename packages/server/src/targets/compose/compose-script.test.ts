/** The script's way to take what must stand in no argument: run by the shell of this machine, up to where it writes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { scriptInput, upArgv, withoutValues } from './compose-script.ts';

const LOCK = 'services: {}\n';
const CHECKSUM = createHash('sha256').update(LOCK).digest('hex');
const VALUES = { STELLA_VALUE_1: ` it's "$HOME" \`id\` \\n ü `, STELLA_VALUE_2: '' };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stella-compose-'));
  // In place of Compose: tells the variables that it got.
  const text = '#!/bin/sh\n[ "$2" != version ] || exit 0\nenv -0 >"$TOLD"\n';
  await writeFile(join(directory, 'docker'), text, { mode: 0o755 });
});
afterEach(() => rm(directory, { recursive: true }));

/** Its exit code and what it said, given that input and then its end. */
async function run(input: string): Promise<string> {
  const [program, ...args] = upArgv(
    { directory, checksum: CHECKSUM },
    { project: 'shop', socket: null, isMadeAnew: false },
  );
  const PATH = [directory, process.env['PATH'] ?? ''].join(delimiter);
  const env = { PATH, STELLA_OPERATION: 'op-1', TOLD: join(directory, 'told') };
  return new Promise((resolve) => {
    const child = execFile(program, args, { env }, (error, stdout) => resolve(`${error?.code ?? 0} ${stdout.trim()}`));
    child.stdin?.end(input);
  });
}

it('hands values on as they are, in the environment of Compose alone', async () => {
  expect(await run(scriptInput(LOCK, VALUES))).toBe('0 op-1 0');
  const told = (await readFile(join(directory, 'told'), 'utf8')).split('\0');
  expect(told).toEqual(expect.arrayContaining(Object.entries(VALUES).map(([name, value]) => `${name}=${value}`)));
  expect(await readdir(join(directory, 'locks'))).toEqual([`${CHECKSUM}.yaml`]);
  expect(await readFile(join(directory, 'locks', `${CHECKSUM}.yaml`), 'utf8')).toBe(LOCK);
});

it.each([
  ['in the middle of the values', scriptInput(LOCK, VALUES).replace(/STELLA_VALUE_2[^]*$/, '')],
  ['before their end', scriptInput(LOCK, VALUES).replace(/\n$/, '')],
])('does nothing when it is cut off %s', async (_where, input) => {
  expect(await run(input)).toBe('1 ');
  expect(await readdir(directory)).toEqual(['docker']);
});

it('tells no value of what Compose said, whatever characters it has', () => {
  const values = { STELLA_VALUE_1: '$& (.*)', STELLA_VALUE_2: '', STELLA_VALUE_3: 'hunter2' };
  expect(withoutValues('bad: $& (.*), hunter2 and hunter2 again', values)).toBe(
    'bad: ${STELLA_VALUE_1}, ${STELLA_VALUE_3} and ${STELLA_VALUE_3} again',
  );
  const alike = { STELLA_VALUE_1: 'hunter', STELLA_VALUE_2: 'hunter2' };
  expect(withoutValues('bug: hunter2', alike)).toBe('bug: ${STELLA_VALUE_2}');
});
