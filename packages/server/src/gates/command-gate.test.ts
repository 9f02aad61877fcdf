import { chmod, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '@stella/domain';
import { makeCommandGate as makeDefinition, makeSeededIds, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePinoLogger } from '../main/pino-logger.ts';
import type { GateQuestion } from '../ports/gate.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeProcesses } from '../system/node-processes.ts';
import { makeCommandGate } from './command-gate.ts';
import { type CommandRuns, openCommandRuns } from './command-runs.ts';

const IDS = makeSeededIds(1);
const QUESTION: GateQuestion = {
  operationId: 'op',
  promotionId: IDS.next('prm'),
  gateRunId: IDS.next('gtr'),
  gate: 'policy',
  environment: 'prod',
  attempt: 1,
  release: { name: 'shop-1', components: [{ name: 'web', digest: digestOf('web') }] },
};
/** On a busy machine. */
const TIMEOUT_MS = 30_000;
const NOBODY = 2 ** 22;

let root: string;
let folder: string;
let runs: CommandRuns;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'stella-command-')));
  folder = join(root, 'gates');
  await mkdir(folder);
  runs = await openCommandRuns({
    fileSystem: nodeFileSystem,
    processes: nodeProcesses,
    logger: makePinoLogger('error'),
    folder: join(root, 'runs'),
    uid: process.getuid?.() ?? 0,
    pid: process.pid,
  });
});
afterAll(() => rm(root, { recursive: true }));

let count = 0;
/** A program of Node with these lines; answers its path. */
async function program(lines: string, where = folder): Promise<string> {
  count += 1;
  const path = join(where, `gate-${count}.mjs`);
  await writeFile(path, `#!${process.execPath}\n${lines}\n`);
  await chmod(path, 0o755);
  return path;
}

interface Order {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly patch?: Parameters<typeof makeDefinition>[0];
}

function run(path: string, { timeoutMs = TIMEOUT_MS, signal = new AbortController().signal, patch = {} }: Order = {}) {
  const deps = { fileSystem: nodeFileSystem, processes: nodeProcesses, commandDirectories: [folder], runs };
  return makeCommandGate(deps).evaluate(makeDefinition({ program: path, ...patch }), QUESTION, { signal, timeoutMs });
}

const isAlive = (pid: number): Promise<boolean> => nodeProcesses.inspect(pid).then((facts) => facts !== null);
const untilGone = (pid: number) =>
  waitFor(async () => !(await isAlive(pid)), { timeoutMs: TIMEOUT_MS, why: 'the process is gone' });

describe('the program of a gate', () => {
  it('gets the question, its arguments as they are, its folder and nearly no environment', async () => {
    const path = await program(`
      let text = '';
      for await (const part of process.stdin) text += part;
      const { gate, release } = JSON.parse(text);
      const said = { gate, digest: release.components[0].digest, argv: process.argv.slice(2), env: Object.keys(process.env).sort(), cwd: process.cwd() };
      console.log(JSON.stringify({ message: JSON.stringify(said) }));`);
    const answer = await run(path, { patch: { args: ['a b', '$HOME', '; true'] } });
    expect(answer.outcome).toBe('passed');
    expect(JSON.parse(answer.message)).toEqual({
      gate: 'policy',
      digest: digestOf('web'),
      argv: ['a b', '$HOME', '; true'],
      env: ['LANG', 'PATH'],
      cwd: folder,
    });
  });

  const wrong = 'gate.bad_response';
  it.each([
    { by: 'a yes', lines: "console.log('212 tests');", outcome: 'passed', says: /^212 tests$/ },
    {
      by: 'a no with a reason',
      lines: `console.log('{"message":"2 too old"}'); process.exit(1);`,
      outcome: 'failed',
      says: /^2 too old$/,
    },
    { by: 'a no without words', lines: 'process.exit(1);', outcome: 'failed', says: /^it says failed$/ },
    {
      by: 'another exit code',
      lines: "console.error('no licence'); process.exit(3);",
      code: 'gate.error',
      says: /^exit code 3: no licence$/,
    },
    { by: 'a signal', lines: "process.kill(process.pid, 'SIGSEGV');", code: 'gate.error', says: /ended by SIGSEGV/ },
    { by: 'a contradiction', lines: `console.log('{"verdict":"failed"}');`, code: wrong, says: /exit code says/ },
    { by: 'words about another run', lines: `console.log('{"gateRunId":"x"}');`, code: wrong, says: /question/ },
    { by: 'no JSON', lines: "console.log('{');", code: wrong, says: /no report/ },
    {
      by: 'too many words',
      lines: "process.stdout.write('x'.repeat(1e6));",
      code: wrong,
      says: /more than 65536 bytes/,
    },
  ])('answers by $by', async ({ lines, outcome = 'error', says, code }) => {
    const answer = await run(await program(lines));
    expect(answer).toMatchObject({ outcome, ...(code !== undefined && { code }) });
    expect(answer.message).toMatch(says);
  });

  it('is ended with all it has started by its deadline, and whoever ignores SIGTERM too', async () => {
    const path = await program(`
      import { spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      process.on('SIGTERM', () => undefined);
      const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
      writeFileSync('pids.tmp', process.pid + ' ' + child.pid);
      setInterval(() => undefined, 1000);`);
    const answer = await run(path, { timeoutMs: 5_000 });
    expect(answer).toEqual({ outcome: 'timeout', code: 'gate.timeout', message: 'it had not ended within 5000 ms' });
    const pids = (await nodeFileSystem.readFile(join(folder, 'pids.tmp'), 'utf8')).split(' ').map(Number);
    expect(pids).toHaveLength(2);
    for (const pid of pids) await untilGone(pid);
  });

  it('is ended when its worker stops', async () => {
    const controller = new AbortController();
    const path = await program("process.stdout.write('x'); setInterval(() => undefined, 1000);");
    const answering = run(path, { signal: controller.signal });
    await waitFor(async () => (await readdir(join(root, 'runs'))).length > 0, {
      timeoutMs: TIMEOUT_MS,
      why: 'it runs',
    });
    controller.abort();
    expect(await answering).toMatchObject({ outcome: 'error', code: 'gate.error' });
    await waitFor(async () => (await readdir(join(root, 'runs'))).length === 0, {
      timeoutMs: TIMEOUT_MS,
      why: 'its note is gone',
    });
  });
});

describe('a program that may not be run', () => {
  it('lies elsewhere, leads elsewhere, is writable by everybody, or is none', async () => {
    const outside = await program('', root);
    const link = join(folder, 'link');
    await symlink(outside, link);
    const open = await program('');
    await chmod(open, 0o777);
    const plain = await program('');
    await chmod(plain, 0o644);
    const forbidden = { outcome: 'error', code: 'gate.program_forbidden' };
    expect(await run(outside)).toMatchObject(forbidden);
    expect(await run(link)).toMatchObject(forbidden);
    expect(await run(join(folder, '..', 'gate-1.mjs'))).toMatchObject(forbidden);
    expect(await run(await program(''), { patch: { directory: root } })).toMatchObject(forbidden);
    expect(await run(open)).toMatchObject({ ...forbidden, message: `${open}: everybody may write to it` });
    const missing = { outcome: 'error', code: 'gate.program_missing' };
    expect(await run(join(folder, 'none'))).toMatchObject({ ...missing, message: `${join(folder, 'none')}: ENOENT` });
    expect(await run(folder, { patch: { directory: folder } })).toMatchObject(missing);
    const broken = join(folder, 'broken');
    await writeFile(broken, '#!/nonexistent/interpreter\n', { mode: 0o755 });
    expect(await run(broken)).toMatchObject(missing);
    // Root may run what anybody may; a file that nobody may run is no program for root either.
    expect(await run(plain)).toMatchObject(missing);
  });
});

describe('a program that outlives its server', () => {
  it('is ended by the next one, which touches no other process', async () => {
    const notes = join(root, 'orphans');
    await mkdir(notes, { mode: 0o700 });
    const start = () =>
      nodeProcesses.startDetached([process.execPath, '-e', 'setInterval(() => undefined, 1000)'], {
        env: {},
        logFile: null,
      });
    const [orphan, other, owned] = [await start(), await start(), await start()];
    const startedAt = async (pid: number) => (await nodeProcesses.inspect(pid))?.startedAt ?? null;
    const note = async (name: string, pid: number, more: object) =>
      writeFile(join(notes, `${name}.json`), JSON.stringify({ pid, startedAt: await startedAt(pid), ...more }));
    const dead = { server: NOBODY, serverStartedAt: '1' };
    await note('orphan', orphan.pid, dead);
    await note('other', other.pid, { ...dead, startedAt: '1' });
    await note('owned', owned.pid, { server: process.pid, serverStartedAt: await startedAt(process.pid) });
    await writeFile(join(notes, 'cut.json'), '{"pid"');
    try {
      await openCommandRuns({
        fileSystem: nodeFileSystem,
        processes: nodeProcesses,
        logger: makePinoLogger('error'),
        folder: notes,
        uid: process.getuid?.() ?? 0,
        pid: process.pid,
      });
      await untilGone(orphan.pid);
      expect([await isAlive(other.pid), await isAlive(owned.pid)]).toEqual([true, true]);
      expect(await readdir(notes)).toEqual(['owned.json']);
      await chmod(notes, 0o777);
      await note('planted', other.pid, dead);
      await openCommandRuns({
        fileSystem: nodeFileSystem,
        processes: nodeProcesses,
        logger: makePinoLogger('error'),
        folder: notes,
        uid: process.getuid?.() ?? 0,
        pid: process.pid,
      });
      expect(await isAlive(other.pid)).toBe(true);
    } finally {
      for (const { pid } of [other, owned]) nodeProcesses.killGroup(pid);
      await Promise.all([orphan, other, owned].map((one) => one.ended));
    }
  });
});
