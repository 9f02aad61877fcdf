/**
 * All pairs of write transactions on one real PostgreSQL: each order of their statements must end like one after the
 * other, in rows and in answers, with every rule of safety kept and no deadlock left unanswered.
 */
import { STANDARD_SETTINGS } from '@stella/domain';
import { makeSeededIds } from '@stella/testkit';
import type pg from 'pg';
import { type Database, openDatabase, openDirect, query } from '../../../src/store/connection.ts';
import { makeImmutableRows } from '../../../src/store/immutable-rows.ts';
import { makeCommandStore } from '../../../src/store/postgres-command-store.ts';
import { makeDebtStore } from '../../../src/store/postgres-debt-store.ts';
import { makeEngineStore } from '../../../src/store/postgres-engine-store.ts';
import { makeNotificationStore } from '../../../src/store/postgres-notification-store.ts';
import { makeObservationStore } from '../../../src/store/postgres-observation-store.ts';
import { makeProbeStore } from '../../../src/store/postgres-probe-store.ts';
import { makeSequencerStore } from '../../../src/store/postgres-sequencer-store.ts';
import { dumpPostgres } from '../../contract/postgres-dump.ts';
import { openPostgresStoreWorld, type PostgresAddresses } from '../../contract/postgres-store-world.ts';
import { codeOf } from '../../contract/store-play.ts';
import type { StoreDump, StoreWorld } from '../../contract/store-world.ts';
import { type LogLine, makeMemoryLogger } from '../postgres-fixture.ts';
import { type Explored, explore } from './explore.ts';
import { NOTICE_RULES } from './notice-transactions.ts';
import { saveRows } from './saved-rows.ts';
import { makeSide, type Side } from './statement-gate.ts';
import { setStage, type StageOfPairs, WRITE_TRANSACTIONS, type WriteTransaction } from './write-transactions.ts';

export interface PairsReport {
  readonly pairs: number;
  readonly interleavings: number;
  /** Orders that the limit left out. */
  readonly left: number;
  readonly statements: number;
  /** Transactions that PostgreSQL gave up for the other one, and the product repeated. */
  readonly deadlocks: number;
  readonly violations: readonly string[];
}

export interface PairsOptions {
  /** Also orders that differ only in neighbours which do not touch each other. */
  readonly isWhole: boolean;
  /** Orders of one pair. */
  readonly runsMax: number;
  /** Only pairs `<name> + <name>` of which this pattern tells; empty: all. */
  readonly only: string;
  readonly onPair: (words: string) => void;
}

interface Place {
  readonly world: StoreWorld;
  readonly side: Side;
  readonly database: Database;
  readonly logLines: LogLine[];
  resetIds(): void;
}

export async function runPairs(addresses: PostgresAddresses, options: PairsOptions): Promise<PairsReport> {
  const base = await openPostgresStoreWorld(addresses);
  const owner = openDatabase(addresses.owner, { logger: makeMemoryLogger(), poolSize: 1 });
  const { client: admin } = await openDirect(owner, {});
  await admin.query('set synchronous_commit = off');
  const stage = await setStage(base);
  const restore = await saveRows(admin);
  const places = { A: await openPlace('A', addresses, base), B: await openPlace('B', addresses, base) };
  const only = new RegExp(options.only);
  const report = { pairs: 0, interleavings: 0, left: 0, statements: 0, deadlocks: 0, violations: [] as string[] };
  try {
    for (const [index, a] of WRITE_TRANSACTIONS.entries()) {
      for (const b of WRITE_TRANSACTIONS.slice(index)) {
        if (!only.test(`${a.name} + ${b.name}`)) continue;
        const pair = await explorePair({ admin, restore, places, stage, ...options }, a, b);
        report.pairs += 1;
        report.interleavings += pair.runCount;
        report.left += pair.leftCount;
        report.statements += pair.stepCount;
        report.violations.push(...pair.violations);
        options.onPair(
          `${a.name} + ${b.name}: ${pair.runCount} orders and ${pair.leftCount} left, ${pair.violations.length} violations`,
        );
      }
    }
    for (const { logLines } of Object.values(places)) {
      report.deadlocks += logLines.filter((line) => line.message.includes('given up for another')).length;
    }
    return report;
  } finally {
    for (const place of Object.values(places)) {
      place.side.open();
      await place.database.close();
    }
    await admin.end();
    await owner.close();
    await base.close();
  }
}

/** The scheduler ends what hangs; on a busy machine it takes its time. */
const PATIENT = 'set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0';

async function openPlace(name: 'A' | 'B', { app }: PostgresAddresses, base: StoreWorld): Promise<Place> {
  const logLines: LogLine[] = [];
  const side = makeSide(name);
  const database = openDatabase(app, { logger: makeMemoryLogger(logLines), poolSize: 1 });
  database.pool.on('connect', (client) => {
    client.query('set search_path = clock, stella, pg_catalog, pg_temp').catch(() => undefined);
    client.query('set synchronous_commit = off').catch(() => undefined);
    client.query(PATIENT).catch(() => undefined);
    side.attach(client);
  });
  await query(database, { name: '', text: 'select 1' });
  const nowMs = (): number => base.control.nowMs();
  const seed = name === 'A' ? 101 : 202;
  let ids = makeSeededIds(seed, nowMs);
  const options = {
    ids: { next: ((prefix) => ids.next(prefix)) as typeof ids.next },
    settings: STANDARD_SETTINGS,
    cache: makeImmutableRows(),
  };
  const world: StoreWorld = {
    engine: makeEngineStore(database, options),
    commands: makeCommandStore(database, options),
    debts: makeDebtStore(database, options),
    observations: makeObservationStore(database, options),
    notifications: makeNotificationStore(database, options),
    probes: makeProbeStore(database),
    sequencer: makeSequencerStore(database),
    ids: options.ids,
    control: base.control,
    close: () => database.close(),
  };
  const resetIds = (): void => {
    ids = makeSeededIds(seed, nowMs);
  };
  return { world, side, database, logLines, resetIds };
}

interface Bench {
  readonly admin: pg.Client;
  readonly restore: () => Promise<void>;
  readonly places: { readonly A: Place; readonly B: Place };
  readonly stage: StageOfPairs;
  readonly isWhole: boolean;
  readonly runsMax: number;
}

interface Ending {
  readonly rows: string;
  readonly answers: string;
}

async function explorePair(
  bench: Bench,
  a: WriteTransaction,
  b: WriteTransaction,
): Promise<Explored & { violations: readonly string[] }> {
  const { admin, restore, places, stage, isWhole, runsMax } = bench;
  const isLoose = a.isSkipping === true || b.isSkipping === true;
  const allowed = [
    await serially(bench, [places.A, a], [places.B, b], isLoose),
    await serially(bench, [places.B, b], [places.A, a], isLoose),
  ];
  const violations: string[] = [];
  const answers = { A: '', B: '' };
  const start = (place: Place, transaction: WriteTransaction): void => {
    place.resetIds();
    place.side.run(
      () => transaction.run(place.world, stage),
      (outcome) => {
        answers[place.side.name] = describeOutcome(outcome);
      },
    );
  };
  const explored = await explore(
    {
      async begin() {
        await restore();
        start(places.A, a);
        start(places.B, b);
      },
      async check(schedule) {
        await settle([places.A, a], [places.B, b]);
        const ending = { rows: comparable(await dumpPostgres(admin), isLoose), answers: `${answers.A} ${answers.B}` };
        const isKnown = allowed.some((one) => one.rows === ending.rows && one.answers === ending.answers);
        if (!isKnown) violations.push(describeViolation({ a, b, schedule }, ending, allowed));
        violations.push(...(await brokenRules(admin)).map((words) => `${a.name} + ${b.name}: ${words} (${schedule})`));
      },
    },
    { A: places.A.side, B: places.B.side },
    { admin, isWhole, runsMax },
  );
  return { ...explored, violations };
}

/** Each of its own side, so that the ids are its own as well. */
async function settle(...sides: readonly (readonly [Place, WriteTransaction])[]): Promise<void> {
  for (const [{ world, side }, transaction] of sides) {
    side.open();
    await transaction.settle?.(world);
  }
}

/** One after the other, the answers always in the order of the sides. */
async function serially(
  { admin, restore, stage }: Bench,
  first: readonly [Place, WriteTransaction],
  second: readonly [Place, WriteTransaction],
  isLoose: boolean,
): Promise<Ending> {
  await restore();
  const answers = { A: '', B: '' };
  for (const [place, transaction] of [first, second]) {
    place.resetIds();
    const outcome = await transaction.run(place.world, stage).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    answers[place.side.name] = describeOutcome(outcome);
  }
  await settle(first, second);
  return { rows: comparable(await dumpPostgres(admin), isLoose), answers: `${answers.A} ${answers.B}` };
}

function describeOutcome(outcome: { readonly value: unknown } | { readonly error: unknown }): string {
  return 'error' in outcome ? codeOf(outcome.error) : JSON.stringify(outcome.value ?? 'done');
}

/** Numbers that are drawn, hashes over them, and places in the global chain depend on who came first, and on nothing else. */
const DRAWN = /^(fence.*|ticket|hash|chainHash|chainHead|seq|number|releaseNumber)$/;
/** With one side that leaves locked rows out, whoever is left out is woken or counted one time less. */
const LOOSE = /^(version|nextActionAt)$/;

function comparable(dump: StoreDump, isLoose: boolean): string {
  const hide = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hide);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => {
        if (isLoose && LOOSE.test(key)) return [key, 'any'];
        return [key, DRAWN.test(key) && member !== null ? 'drawn' : hide(member)];
      }),
    );
  };
  const tables = Object.entries(dump).map(([name, rows]) => [
    name,
    rows.map((row) => JSON.stringify(hide(row))).sort(),
  ]);
  return JSON.stringify(tables, null, 1);
}

function describeViolation(
  { a, b, schedule }: { a: WriteTransaction; b: WriteTransaction; schedule: string },
  ending: Ending,
  allowed: readonly Ending[],
): string {
  const lines = new Set(ending.rows.split('\n'));
  const apart = allowed.map((one) => {
    const serial = new Set(one.rows.split('\n'));
    const more = [...lines].filter((line) => !serial.has(line)).slice(0, 4);
    const less = [...serial].filter((line) => !lines.has(line)).slice(0, 4);
    return `answers ${one.answers}; ${[...more.map((line) => `+${line}`), ...less.map((line) => `-${line}`)].join('\n      ')}`;
  });
  return [`${a.name} + ${b.name} is like no serial order`, schedule, `answers ${ending.answers}`, ...apart].join(
    '\n    ',
  );
}

/** What must hold whatever happened; zero rows each. */
const RULES: Readonly<Record<string, string>> = {
  S1: `select resource from stella.locks where released_at is null and mode = 'exclusive' group by resource having count(*) > 1`,
  S2: `select max(n) from (select fence_n as n from stella.attempts union all select fence_n from stella.locks) f
    having max(n) > (select last_value from stella.fence_numbers)`,
  S5: `select id from stella.promotions where (ended_at is not null) and exists
    (select from stella.locks l where l.promotion_id = promotions.id and l.released_at is null)`,
  S6: `select p.id from stella.promotions p
    where p.chain_length <> (select count(*) from stella.events e where e.promotion_id = p.id)`,
  S18: `select 1 from stella.locks where resource like 'environment:quota/%' having count(distinct promotion_id) >
    coalesce((select value from stella.settings where key = 'environments.quota.quotas.perDay'), 1)`,
  S17: `select operation_id from stella.attempt_outcomes where not is_late group by operation_id having count(*) > 1`,
  ...NOTICE_RULES,
  L1: `select id from stella.promotions where ended_at is null and next_action_at is null`,
};

async function brokenRules(admin: pg.Client): Promise<readonly string[]> {
  const asked = Object.entries(RULES).map(([name, sql]) => `select '${name}' as name where exists (${sql})`);
  const { rows } = await admin.query<{ name: string }>(asked.join(' union all '));
  return rows.map((row) => `${row.name} does not hold`);
}
