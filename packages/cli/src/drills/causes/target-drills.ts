/** Targets: their directories, their disks, and the health of what runs there. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readlinkSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Drill } from '../drill.ts';
import { answerWith, SILENCE, WELL } from '../place.ts';
import { waitFor } from '../world.ts';

/** Judged within seconds. */
const QUICK_HEALTH = { timeout: '2s', interval: '100ms', threshold: 1, deadline: '2s' };
/** Waited for as long as it takes. */
const PATIENT_HEALTH = { timeout: '1m', interval: '100ms', threshold: 1, deadline: '1h' };
const MOUNT_TIMEOUT_MS = 10_000;
/** A fence that this server's database has never given: as another server would have left it, or one before a restore. */
const FOREIGN_FENCE = '1.900000.1';

const isRoot = (): boolean => process.getuid?.() === 0;

function mount(...args: readonly string[]): void {
  execFileSync('mount', args, { timeout: MOUNT_TIMEOUT_MS, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Takes away what a drill has mounted; nothing when it has not. */
export function unmountAll(directory: string): void {
  try {
    execFileSync('umount', ['-l', directory], { timeout: MOUNT_TIMEOUT_MS, stdio: 'ignore' });
  } catch {
    // Nothing was mounted there.
  }
}

const misconfigured: Drill = {
  cause: 'target.misconfigured',
  fault: 'its directory is outside of the allowed ones',
  async inject(world) {
    await world.apply({ target: { directory: `/${world.name}` } });
    return world.promote(await world.release('1'));
  },
  repair: (world) => world.apply({}),
};

/** Nobody may write there: for root, whom no mode keeps out, by a read-only mount. */
const credentials: Drill = {
  cause: 'target.credentials',
  fault: 'the server may not write into its directory',
  async inject(world) {
    const directory = world.targetDirectory();
    mkdirSync(directory);
    if (isRoot()) {
      mount('--bind', directory, directory);
      mount('-o', 'remount,bind,ro', directory);
    } else {
      chmodSync(directory, 0o555);
    }
    await world.apply({});
    return world.promote(await world.release('1'));
  },
  async repair(world) {
    if (isRoot()) unmountAll(world.targetDirectory());
    else chmodSync(world.targetDirectory(), 0o755);
  },
};

const diskFull: Drill = {
  cause: 'target.disk_full',
  fault: 'not a byte is left on its disk',
  needs: ['root'],
  async inject(world) {
    const directory = world.targetDirectory();
    mkdirSync(directory);
    mount('-t', 'tmpfs', '-o', 'size=4m,mode=0777', world.name, directory);
    writeFileSync(join(directory, 'filler'), '');
    fill(directory);
    await world.apply({});
    return world.promote(await world.release('1'));
  },
  repair: async (world) => rmSync(join(world.targetDirectory(), 'filler')),
};

function fill(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  execFileSync('fallocate', ['-l', String(bavail * bsize), join(directory, 'filler')], { timeout: MOUNT_TIMEOUT_MS });
}

const unreachable: Drill = {
  cause: 'target.unreachable',
  fault: 'a file has the name of its directory',
  async inject(world) {
    writeFileSync(world.targetDirectory(), 'in the way');
    await world.apply({});
    return world.promote(await world.release('1'));
  },
  repair: async (world) => rmSync(world.targetDirectory()),
};

const slow: Drill = {
  cause: 'target.slow',
  fault: 'the health check of what runs there gets no answer',
  needs: ['stuck.after'],
  async inject(world) {
    await world.apply({ target: { health: { url: world.healthUrl, ...PATIENT_HEALTH } } });
    world.behave({ health: SILENCE });
    return world.promote(await world.release('1'));
  },
  repair: async (world) => world.behave(WELL),
};

const unhealthy: Drill = {
  cause: 'target.unhealthy',
  fault: 'the health check of what runs there answers 503',
  async inject(world) {
    await world.apply({ target: { health: { url: world.healthUrl, ...QUICK_HEALTH } } });
    world.behave({ health: answerWith(503, 'starting') });
    return world.promote(await world.release('1'));
  },
  repair: async (world) => world.behave(WELL),
};

/** One target waits for its artifact; meanwhile somebody changes a file of the other. */
const wrongDigest: Drill = {
  cause: 'target.wrong_digest',
  fault: 'somebody changes what runs there, beside Stella',
  async inject(world) {
    const components = ['app', 'other'];
    await world.apply({ components });
    world.behave({ heldComponent: 'other' });
    const promotion = await world.promote(await world.release('1', { components }));
    const directory = world.targetDirectory('app');
    await waitFor(async () => currentOf(directory) !== null, 'the first target is switched');
    writeFileSync(join(directory, currentOf(directory) ?? '', 'changed-by-hand'), 'x');
    world.behave({ heldComponent: null });
    return promotion;
  },
};

function currentOf(directory: string): string | null {
  try {
    return readlinkSync(join(directory, 'current'));
  } catch {
    // Not there yet.
    return null;
  }
}

const fenceBehind: Drill = {
  cause: 'fence.behind',
  fault: 'a target holds an operation that the database does not know',
  async inject(world) {
    await world.apply({});
    await world.untilCompleted(await world.promote(await world.release('1')));
    const fences = join(world.targetDirectory(), '.stella', 'fences');
    symlinkSync('operation:of-another-server', join(fences, FOREIGN_FENCE));
    return world.promote(await world.release('2'));
  },
};

export const TARGET_DRILLS: readonly Drill[] = [
  misconfigured,
  credentials,
  diskFull,
  unreachable,
  slow,
  unhealthy,
  wrongDigest,
  fenceBehind,
];
