/** The database of an orchestrator of the drill's own: sessions in the way, settings, grants and the disk. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Drill } from '../drill.ts';
import { runSql } from '../own/database.ts';
import { killOwn, runStella, variablesOfOwn } from '../own/own-orchestrator.ts';
import { type DrillPlace, WELL } from '../place.ts';
import { unexpected } from '../unexpected.ts';
import { waitFor, type World } from '../world.ts';
import { breakInSilence } from './worker-drills.ts';

const MOUNT_TIMEOUT_MS = 10_000;
/** Holds the cluster with its first segments of the log, and what the program itself brings. */
const DISK_MIB = 384;
/** So much is left when it is filled: less than PostgreSQL needs to go on, enough for it not to fall over at once. */
const LEFT_BYTES = 4 * 1_048_576;

const contention: Drill = {
  cause: 'database.contention',
  fault: 'somebody holds the row of the promotion, idle in a transaction',
  own: { shape: 'single' },
  inject: (world) =>
    breakInSilence(world, async (promotion) => {
      world.behave({ sessions: { heldPromotion: promotion, areAllTaken: false } });
      await untilBlocked(world, promotion);
      world.behave({ gate: WELL.gate });
    }),
  /** What the remedy says, in psql. */
  async repair(world) {
    const said = await remedyText(world);
    const [statement] = /select pg_terminate_backend\(\d+\)/.exec(said) ?? [];
    if (statement === undefined) throw unexpected(`no session to be ended in: ${said}`);
    await runSql(world.place, 'stella_owner', statement);
  },
};

async function untilBlocked({ client }: World, promotion: string): Promise<void> {
  await waitFor(async () => {
    const { causes } = await client.call('diagnosePromotion', { parameters: { promotion } });
    return causes.some(({ code }) => code === 'database.contention');
  }, 'somebody holds the row');
}

async function remedyText({ client, name }: World): Promise<string> {
  const { items } = await client.call('listPromotions', { query: { environment: name } });
  const texts = await Promise.all(
    items.map(async ({ id }) => {
      const { causes } = await client.call('diagnosePromotion', { parameters: { promotion: id } });
      return causes[0]?.remedies[0]?.text ?? '';
    }),
  );
  return texts.join('\n');
}

/** As somebody who changes the settings of PostgreSQL by hand and lets it read them again. */
function changeSettings({ own: [first] }: DrillPlace, change: (file: string) => void): void {
  change(join(first, 'postgres-config', 'postgresql.conf'));
  const [pid] = readFileSync(join(first, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
  process.kill(Number(pid), 'SIGHUP');
}

const READ_ONLY = 'default_transaction_read_only = on\n';

const readOnly: Drill = {
  cause: 'database.read_only',
  fault: 'somebody has set default_transaction_read_only',
  own: { shape: 'single' },
  inject: (world) =>
    breakInSilence(world, () => changeSettings(world.place, (file) => appendFileSync(file, READ_ONLY))),
  async repair(world) {
    changeSettings(world.place, (file) => writeFileSync(file, readFileSync(file, 'utf8').replace(READ_ONLY, '')));
    world.behave(WELL);
  },
};

const diskFull: Drill = {
  cause: 'database.disk_full',
  fault: 'the disk that PostgreSQL lies on is filled',
  needs: ['root'],
  own: {
    shape: 'single',
    async prepare({ own: [first] }) {
      mkdirSync(first, { mode: 0o755 });
      const words = ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=0755`, 'drill', first];
      execFileSync('mount', words, { timeout: MOUNT_TIMEOUT_MS, stdio: ['ignore', 'ignore', 'pipe'] });
    },
  },
  inject: (world) =>
    breakInSilence(world, () => {
      const { bavail, bsize } = statfsSync(world.place.own[0]);
      const words = ['-l', String(bavail * bsize - LEFT_BYTES), fillerOf(world)];
      execFileSync('fallocate', words, { timeout: MOUNT_TIMEOUT_MS });
    }),
  async repair(world) {
    rmSync(fillerOf(world));
    world.behave(WELL);
  },
};

function fillerOf({ place: { own } }: World): string {
  return join(own[0], 'filler');
}

const connections: Drill = {
  cause: 'database.connections',
  fault: 'a program has taken every connection, and an orchestrator cannot start again',
  own: { shape: 'pair' },
  async inject(world) {
    await world.apply({});
    const release = await world.release('1');
    await killOwn(world.own().dataDir);
    world.behave({ sessions: { heldPromotion: null, areAllTaken: true } });
    const promotion = await world.promote(release);
    // It tries again and again by itself, in the care of its new supervisor.
    void runStella(['service', 'start', 'orchestrator'], variablesOfOwn(world.own())).catch(() => undefined);
    return promotion;
  },
  repair: async (world) => world.behave(WELL),
};

const GRANT = 'insert on attempt_outcomes';

const poison: Drill = {
  cause: 'poison',
  fault: 'somebody has taken a right from the role of the server that it needs to write what came of an attempt',
  own: { shape: 'single' },
  inject: (world) =>
    breakInSilence(world, async () => {
      await runSql(world.place, 'stella_owner', `revoke ${GRANT} from stella_app`);
      world.behave(WELL);
    }),
  repair: ({ place }) => runSql(place, 'stella_owner', `grant ${GRANT} to stella_app`),
};

export const DATABASE_DRILLS: readonly Drill[] = [contention, readOnly, diskFull, connections, poison];
