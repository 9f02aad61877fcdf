import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownDataDir } from '../../src/data-dir/data-dir-owner.ts';
import { type OwnerIdentity, formatOwner, identifySelf } from '../../src/data-dir/owner-identity.ts';
import { prepareDataDir } from '../../src/data-dir/prepare-data-dir.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import {
  asUser,
  isRoot,
  makeTemporaryDirectory,
  ORDINARY_ID,
  ownerDeps,
  startHolder,
  whyNoMount,
  whyNotAsOrdinaryUser,
} from './postgres-fixture.ts';

/** Free on every machine: above Linux's largest pid. */
const PID_OF_NOBODY = 2_147_483_000;

let directory: ReturnType<typeof makeTemporaryDirectory>;
const deps = ownerDeps();
const ownerFile = (): string => join(directory.path, 'server.pid');

beforeEach(() => {
  directory = makeTemporaryDirectory();
});
afterEach(() => directory.remove());

async function writeOwner(over: Partial<OwnerIdentity>): Promise<void> {
  writeFileSync(ownerFile(), formatOwner({ ...(await identifySelf(deps)), ...over }, 'earlier'));
}

/** Its time runs a hundred times as fast, so that ten seconds of silence are a tenth. */
const fastClock: Clock = {
  nowMs: () => nodeClock.nowMs(),
  monotonicMs: () => nodeClock.monotonicMs() * 100,
  schedule: (delayMs, run) => nodeClock.schedule(delayMs / 100, run),
  timeoutSignal: (delayMs) => nodeClock.timeoutSignal(delayMs / 100),
};

describe('owning a data directory', () => {
  it('names the owner in the file, refuses a second one, and is free after the release', async () => {
    const owner = await ownDataDir(deps, directory.path);
    expect(readFileSync(ownerFile(), 'utf8')).toContain(`"pid":${process.pid}`);
    await expect(ownDataDir(deps, directory.path)).rejects.toMatchObject({
      code: 'data_dir.owned',
      details: { pid: process.pid },
    });
    await owner.release();
    await owner.release();
    expect(readdirSync(directory.path)).toEqual([]);
    await (await ownDataDir(deps, directory.path)).release();
  });

  it('lets one of twenty starters win, over a stale file too', async () => {
    for (let round = 0; round < 20; round += 1) {
      if (round % 2 === 1) await writeOwner({ pid: PID_OF_NOBODY });
      const starts = Array.from({ length: 20 }, () => ownDataDir(deps, directory.path));
      const results = await Promise.allSettled(starts);
      const won = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(won).toHaveLength(1);
      const refused = results.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
      expect(refused).toEqual(
        Array.from({ length: 19 }, (): unknown => expect.objectContaining({ code: 'data_dir.owned' })),
      );
      expect(readdirSync(directory.path)).toEqual(['server.pid']);
      await won[0]?.release();
    }
  });

  it('goes on where starters died in the middle of taking over', async () => {
    const name = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
    await writeOwner({ pid: PID_OF_NOBODY });
    let followed = readFileSync(ownerFile(), 'utf8');
    for (const claim of ['first', 'second']) {
      const right = formatOwner({ ...(await identifySelf(deps)), pid: PID_OF_NOBODY }, claim);
      writeFileSync(`${ownerFile()}.after-${name(followed)}`, right);
      followed = right;
    }
    const owner = await ownDataDir(deps, directory.path);
    expect(readdirSync(directory.path)).toEqual(['server.pid']);
    await owner.release();
  });

  it.each<[string, Partial<OwnerIdentity>]>([
    ['whose process is gone', { pid: PID_OF_NOBODY }],
    ['whose pid belongs to a later process', { startedAt: '1' }],
  ])('takes over from an owner %s', async (_, over) => {
    await writeOwner(over);
    const owner = await ownDataDir(deps, directory.path);
    expect(readFileSync(ownerFile(), 'utf8')).toContain(`"pid":${process.pid}`);
    await owner.release();
  });

  it.each(['', '{"pid":', 'null', '{"pid":-1}', '{"pid":"1"}'])('takes over a file that says %j', async (text) => {
    writeFileSync(ownerFile(), text);
    const owner = await ownDataDir(deps, directory.path);
    expect(readFileSync(ownerFile(), 'utf8')).toContain(`"pid":${process.pid}`);
    await owner.release();
  });

  it('takes over from an owner before a restart of the machine, after it gave no sign for ten seconds', async () => {
    await writeOwner({ bootId: 'another' });
    const startMs = fastClock.monotonicMs();
    await (await ownDataDir({ ...deps, clock: fastClock }, directory.path)).release();
    expect(fastClock.monotonicMs() - startMs).toBeGreaterThan(10_000);
  });

  it('refuses while an owner in another container gives signs', async () => {
    await writeOwner({ pidNamespace: 'pid:[1]', pid: 7 });
    let seconds = 1_000;
    const sign = setInterval(() => utimesSync(ownerFile(), seconds, (seconds += 1)), 20);
    await expect(ownDataDir({ ...deps, clock: fastClock }, directory.path)).rejects.toMatchObject({
      code: 'data_dir.owned',
      details: { pid: 7 },
    });
    clearInterval(sign);
  });

  it('gives signs itself, which do not bring a released file back', async () => {
    const owner = await ownDataDir({ ...deps, clock: fastClock }, directory.path);
    utimesSync(ownerFile(), 1, 1);
    const challenger = ownDataDir({ ...deps, clock: fastClock }, directory.path);
    await expect(challenger).rejects.toMatchObject({ code: 'data_dir.owned' });
    await expect.poll(async () => (await nodeFileSystem.stat(ownerFile())).mtimeMs).toBeGreaterThan(1_000);
    await owner.release();
    expect(readdirSync(directory.path)).toEqual([]);
  });

  it('does not release what another one has taken meanwhile', async () => {
    const owner = await ownDataDir(deps, directory.path);
    const other = formatOwner({ ...(await identifySelf(deps)), pid: 1 }, 'other');
    writeFileSync(ownerFile(), other);
    await owner.release();
    expect(readFileSync(ownerFile(), 'utf8')).toBe(other);
  });
});

describe('a data directory that cannot be used', () => {
  it.each(['', '/below'])('is named when a file stands in its place%s', async (below) => {
    const path = join(directory.path, 'file');
    writeFileSync(path, '');
    await expect(prepareDataDir(nodeFileSystem, `${path}${below}`, isRoot)).rejects.toMatchObject({
      code: 'data_dir.unusable',
      hint: expect.stringContaining('STELLA_DATABASE_URL') as unknown,
    });
  });

  it.skipIf(isRoot)('is named when it may not be written (needs an ordinary user)', async () => {
    const path = join(directory.path, 'read-only');
    mkdirSync(path);
    chmodSync(path, 0o555);
    await expect(prepareDataDir(nodeFileSystem, path, false)).rejects.toMatchObject({ code: 'data_dir.unusable' });
  });

  const notOrdinary = whyNotAsOrdinaryUser();
  it.skipIf(notOrdinary !== null)(`is named when an ordinary user may not write it (${notOrdinary})`, async () => {
    const holder = await startHolder(join(directory.path, 'data'), asUser(ORDINARY_ID));
    await holder.kill('SIGKILL');
    expect(holder.report).toMatchObject({
      code: 'data_dir.unusable',
      message: expect.stringContaining('EACCES') as unknown,
    });
  });

  const noMount = whyNoMount();
  it.skipIf(noMount !== null)(`is named when it is mounted read-only (${noMount})`, async () => {
    const mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"';
    const holder = await startHolder(directory.path, ['unshare', '--mount', 'sh', '-c', mount, directory.path]);
    await holder.kill('SIGKILL');
    expect(holder.report).toMatchObject({
      code: 'data_dir.unusable',
      message: expect.stringContaining('EROFS') as unknown,
    });
  });
});
