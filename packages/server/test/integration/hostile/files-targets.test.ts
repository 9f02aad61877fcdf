/**
 * Directories of a `files` target that somebody or something spoils: a process that is paused in the middle and goes on
 * when a newer one was accepted, a real full disk, lost permissions, links where directories were, locks of others.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testProgram, waitFor, writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FILES_TARGET_FAULT_POINTS } from '../../../src/targets/fault-points.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  namesIn,
  openTarget,
  pageIn,
  type TargetPlace,
} from '../../contract/files-target-fixture.ts';
import type { ChildOrder } from '../../crash/files-target-child.ts';
import { asUser, isRoot, ORDINARY_ID, whyNoMount, whyNotAsOrdinaryUser } from '../postgres-fixture.ts';

const CHILD = testProgram('files-target-child');
const CHILD_TIMEOUT_MS = 60_000;
/** Larger than the small disk. */
const LARGE_BYTES = 4 * 1_048_576;
const SMALL_DISK_MIB = 2;

vi.setConfig({ testTimeout: 3 * CHILD_TIMEOUT_MS });

let place: TargetPlace;
beforeEach(async () => {
  place = makeTargetPlace();
  const files = { 'index.html': 'page large', 'large.bin': Buffer.alloc(LARGE_BYTES, 1) };
  await writeOciLayout(place.layout, [
    ...['one', 'two', 'three'].map((tag) => ({ tag, files: { 'index.html': `page ${tag}` } })),
    { tag: 'large', files },
  ]);
});
afterEach(() => place.remove());

async function deploy(n: number, tag: string, timeoutMs?: number) {
  return openTarget(place).deploy(call(timeoutMs), { epoch: 1, n }, `op-${n}`, await componentOf(place, tag));
}

async function orderOf(n: number, tag: string, more: Partial<ChildOrder> = {}): Promise<string> {
  const { root, directory, layout } = place;
  const order: ChildOrder = {
    root,
    directory,
    layout,
    verb: 'deploy',
    fence: { epoch: 1, n },
    operationId: `op-${n}`,
    component: await componentOf(place, tag),
    keepCount: 3,
    point: '',
    hit: 1,
    ...more,
  };
  return JSON.stringify(order);
}

/** What a process of its own says, started through other programs. */
function answerOf(program: readonly string[]): Promise<string> {
  const [file = '', ...parameters] = program;
  const env = { PATH: process.env['PATH'] ?? '' };
  return new Promise((resolve) => {
    execFile(file, parameters, { timeout: CHILD_TIMEOUT_MS, env }, (error, stdout, stderr) =>
      resolve(stdout || `${error?.message ?? ''}${stderr}`),
    );
  });
}

describe('an operation that is paused, and goes on when a newer one was accepted', () => {
  it.each(FILES_TARGET_FAULT_POINTS)('at %s changes nothing any more', async (point) => {
    expect(await deploy(1, 'one')).toMatchObject({ outcome: 'succeeded' });
    const order = await orderOf(2, 'two', { point, signal: 'SIGSTOP', keepCount: 1 });
    const child = spawn(process.execPath, [CHILD, order], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    try {
      await waitFor(async () => (await stateOf(child.pid ?? 0)) === 'T', {
        timeoutMs: CHILD_TIMEOUT_MS,
        why: 'it is paused there',
      });
      const target = openTarget(place);
      expect(await target.seal(call(), { epoch: 1, n: 3 })).toMatchObject({ outcome: 'sealed' });
      expect(await deploy(4, 'three')).toMatchObject({ outcome: 'succeeded' });
      child.kill('SIGCONT');
      await ended;
      expect(pageIn(place)).toBe('page three');
      const observed = await target.observe(call());
      const { digest } = await componentOf(place, 'three');
      expect(observed).toMatchObject({
        observation: { digest, isHealthy: true, holds: { fence: { epoch: 1, n: 4 } } },
      });
      // It does not say that its release runs, unless it had switched before it was paused.
      const { outcome } = JSON.parse(said) as { outcome: string };
      expect(SWITCHED.has(point) ? ['succeeded', 'refused', 'errored'] : ['refused', 'errored']).toContain(outcome);
      expect(namesIn(place, '.stella').filter((name) => name.startsWith('pending-'))).toEqual([]);
      expect(await deploy(5, 'one')).toMatchObject({ outcome: 'succeeded' });
      expect(pageIn(place)).toBe('page one');
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
});

const SWITCHED: ReadonlySet<string> = new Set(
  FILES_TARGET_FAULT_POINTS.slice(FILES_TARGET_FAULT_POINTS.indexOf('target.files.switched')),
);

/** `T`: stopped by a signal (proc(5), field 3). */
async function stateOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3);
}

describe('a disk that is really full', () => {
  it.skipIf(whyNoMount() !== null)('fails the operation as target.disk_full and leaves what runs whole', async () => {
    mkdirSync(place.directory);
    const node = `'${process.execPath}' '${CHILD}'`;
    // The mount, and all that is on it, ends with the process.
    const script = [
      `mount -t tmpfs -o size=${SMALL_DISK_MIB}m tmpfs '${place.directory}'`,
      `${node} "$1" && echo && ${node} "$2" && echo && ${node} "$3" && echo && cat '${place.directory}/current/index.html'`,
    ].join(' && ');
    const orders = [await orderOf(1, 'one'), await orderOf(2, 'large'), await orderOf(3, 'two')];
    const said = await answerOf(['unshare', '--mount', 'sh', '-c', script, 'sh', ...orders]);
    const [first = '', large = '', next = '', page] = said.split('\n');
    expect(JSON.parse(first)).toMatchObject({ outcome: 'succeeded' });
    expect(JSON.parse(large)).toMatchObject({ outcome: 'failed', code: 'target.disk_full' });
    expect(large).toContain('no space left on device');
    expect(JSON.parse(next)).toMatchObject({ outcome: 'succeeded' });
    expect(page).toBe('page two');
  });
});

describe('permissions that are lost', () => {
  it.skipIf(isRoot && whyNotAsOrdinaryUser() !== null).each(['.', '.stella', 'releases', '.stella/fences'])(
    'on %s fail the operation as target.denied and leave what runs; given back, it goes on',
    async (folder) => {
      const before = isRoot ? asUser(ORDINARY_ID) : [];
      const run = async (n: number, tag: string): Promise<unknown> =>
        JSON.parse(await answerOf([...before, process.execPath, CHILD, await orderOf(n, tag)]));
      chmodSync(place.root, 0o755);
      mkdirSync(place.directory);
      if (isRoot) chownSync(place.directory, ORDINARY_ID, ORDINARY_ID);
      expect(await run(1, 'one')).toMatchObject({ outcome: 'succeeded' });
      chmodSync(join(place.directory, folder), 0o555);
      const refused = await run(2, 'two');
      expect(refused).toMatchObject({ outcome: 'failed', code: 'target.denied' });
      expect(JSON.stringify(refused)).toContain('permission denied');
      expect(pageIn(place)).toBe('page one');
      chmodSync(join(place.directory, folder), 0o755);
      expect(await run(3, 'three')).toMatchObject({ outcome: 'succeeded' });
      expect(pageIn(place)).toBe('page three');
    },
  );
});

describe('a link where a directory was', () => {
  it.each(['', '.stella', 'releases', '.stella/fences', '.stella/locks', '.stella/staging', '.stella/operations'])(
    'at "%s" leads no operation elsewhere',
    async (folder) => {
      expect(await deploy(1, 'one')).toMatchObject({ outcome: 'succeeded' });
      const elsewhere = `${place.root}-elsewhere`;
      const path = join(place.directory, folder);
      renameSync(path, `${path}-before`);
      mkdirSync(elsewhere);
      symlinkSync(elsewhere, path);
      try {
        const target = openTarget(place);
        const probe = await target.probe(call());
        const answer = await deploy(2, 'two');
        for (const given of [answer, ...(folder.split('/').length > 1 ? [] : [probe])]) {
          expect(given).toMatchObject({
            outcome: 'failed',
            code: folder === '' ? 'target.directory_forbidden' : 'target.disk',
          });
        }
        expect(readdirSync(elsewhere)).toEqual([]);
      } finally {
        rmSync(elsewhere, { recursive: true });
      }
    },
  );

  it('at "current" is replaced, and what it led to is left alone', async () => {
    expect(await deploy(1, 'one')).toMatchObject({ outcome: 'succeeded' });
    const other = join(place.root, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'index.html'), 'mine');
    symlinkSync(other, `${place.directory}/current.new`);
    renameSync(`${place.directory}/current.new`, `${place.directory}/current`);
    const observed = await openTarget(place).observe(call());
    expect(observed).toMatchObject({ observation: { digest: null, isHealthy: false } });
    expect(await deploy(2, 'one')).toMatchObject({ outcome: 'succeeded' });
    expect(pageIn(place)).toBe('page one');
    expect(existsSync(join(other, 'index.html'))).toBe(true);
  });
});

describe('a lock that others left or hold', () => {
  const lock = (n: number): string => join(place.directory, '.stella', 'locks', String(n));

  it.each([
    { what: 'rubbish', content: 'rubbish' },
    { what: 'JSON of another kind', content: '{"pid":1}' },
    { what: 'a holder whose time is long over', content: '{"fence":"1.9","untilMs":1,"process":null}' },
    { what: 'a process of an earlier boot', content: ownerOf('earlier', 'mine') },
  ])('with $what is taken', async ({ content }) => {
    expect(await deploy(1, 'one')).toMatchObject({ outcome: 'succeeded' });
    symlinkSync(content, lock(99));
    expect(await deploy(2, 'two')).toMatchObject({ outcome: 'succeeded' });
    expect(pageIn(place)).toBe('page two');
  });

  it('with a process that nobody here can see is waited for, until it is given up', async () => {
    expect(await deploy(1, 'one')).toMatchObject({ outcome: 'succeeded' });
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    symlinkSync(ownerOf(bootId, 'pid:[1]'), lock(99));
    expect(await deploy(2, 'two', 1_000)).toMatchObject({ outcome: 'errored', code: 'target.busy' });
    expect(pageIn(place)).toBe('page one');
    symlinkSync('done', `${lock(99)}.free`);
    expect(await deploy(3, 'two')).toMatchObject({ outcome: 'succeeded' });
    expect(pageIn(place)).toBe('page two');
  });

  it('as a plain file is named, and nothing is deployed over it', async () => {
    expect(await deploy(1, 'one')).toMatchObject({ outcome: 'succeeded' });
    writeFileSync(lock(99), '');
    expect(await deploy(2, 'two', 3_000)).toMatchObject({ outcome: 'failed', code: 'target.disk' });
    expect(pageIn(place)).toBe('page one');
  });
});

/** What a holder writes into its lock. */
function ownerOf(bootId: string, pidNamespace: string): string {
  const holder = { pid: 999_999_999, startedAt: '1', bootId, pidNamespace };
  return JSON.stringify({ fence: '1.9', untilMs: 9_999_999_999_999, process: holder });
}
