/**
 * Memory = PostgreSQL: the same operations on both, one after another, with the same ids and the same clock. After each of
 * them the answers, what the rules were shown, and every row are the same. `STELLA_STORE_SEED` and `STELLA_STORE_RUNS` run
 * other sequences, or more of them; a failure prints fast-check's seed, path and the sequence as small as it gets.
 */
import { isDeepStrictEqual } from 'node:util';
import { type AnySettingKey, canonicalJson, type Json, PRIORITIES, type Violation, violationsOf } from '@stella/domain';
import { toStoreState } from '@stella/testkit/memory';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transact } from '../../src/store/connection.ts';
import { checkEverything } from '../../src/store/invariants/check-invariants.ts';
import { readStoreState } from '../../src/store/invariants/read-store-state.ts';
import { openEmbeddedStoreWorld } from './embedded-store-world.ts';
import { type MemoryStoreWorld, openMemoryStoreWorld } from './memory-store-world.ts';
import { makeStoreActor, type Operation, type Subject } from './store-operations.ts';
import type { PostgresStoreWorld } from './postgres-store-world.ts';
import type { StoreDump } from './store-world.ts';

const RUNS = Number(process.env['STELLA_STORE_RUNS'] ?? 20);
const SEED = Number(process.env['STELLA_STORE_SEED'] ?? Date.now() % 0x7fff_ffff);
/** On a busy machine fewer sequences are run; never fewer than the first. */
const TIME_LIMIT_MS = RUNS > 20 ? 3_600_000 : 40_000;

const pick = fc.nat(40);
const who = fc.constantFrom<Subject>('olga', 'alice', 'bob');
const SETTING_VALUES: readonly (readonly [AnySettingKey, number | null])[] = [
  ['locks.timeout', 5_000],
  ['locks.timeout', null],
  // The places of `optimistic` and `pessimistic`.
  ['locks.mode', 1],
  ['locks.mode', 1],
  ['locks.mode', 0],
  ['gates.holdFor', 1_000],
  ['queue.maxWait', 60_000],
  ['observe.every', 1_000],
  ['gates.tests.retries', 0],
  ['retention.attemptOutput', 3_600_000],
  ['retention.idempotencyKeys', 3_600_000],
  ['retention.events', 86_400_000],
];
const DURATIONS_MS = [1, 1, 250, 250, 1_000, 1_000, 10_000, 16_000, 30_000, 61_000, 660_000, 3_600_000, 90_000_000];

const tickOf = (mood: Extract<Operation, { kind: 'tick' }>['mood']): fc.Arbitrary<Operation> =>
  fc.record({
    kind: fc.constant('tick' as const),
    pick,
    mood: fc.constant(mood),
    isLost: fc.nat(11).map((n) => n === 11),
    isRepeated: fc.nat(11).map((n) => n === 11),
  });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: tickOf('good') },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('work' as const), worker: pick, ticks: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 4, arbitrary: fc.constantFrom('failed', 'error', 'timeout', 'refused').chain(tickOf) },
  { weight: 3, arbitrary: fc.constantFrom('first', 'none').chain(tickOf) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('take' as const), worker: pick, limit: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      environment: fc.constantFrom(0, 0, 0, 1, 2, 2),
      release: pick,
      who: fc.constantFrom<Subject>('olga', 'alice'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), durationMs: fc.constantFrom(...DURATIONS_MS) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constantFrom('approve', 'approve', 'reject', 'skip', 'approveSkip'), pick, who }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cancel', 'retry'), pick }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('priority' as const), pick, priority: fc.constantFrom(...PRIORITIES) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('releaseLock' as const), pick, isForced: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('die', 'bury', 'bury', 'retire', 'renew'), worker: pick }),
  },
  { weight: 2, arbitrary: fc.constant<Operation>({ kind: 'hire' }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('setAside' as const), pick, count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...SETTING_VALUES).map(([key, value]): Operation => ({ kind: 'set', key, value })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      environment: pick,
      deadlineMs: fc.constantFrom(60_000, 900_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('turn' as const),
      environment: pick,
      concurrency: fc.constantFrom('exclusive' as const, 'per_component' as const),
    }),
  },
  { weight: 1, arbitrary: tickOf('ahead') },
  { weight: 3, arbitrary: tickOf('taken') },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('callBack' as const),
      pick,
      attempt: pick,
      id: fc.integer({ min: 1, max: 3 }),
      isYes: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('raise' as const), environment: pick, n: fc.constantFrom(1, 5, 900) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('freeze' as const),
      environment: pick,
      lengthMs: fc.constantFrom(null, 0, 20_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('askMore' as const),
      environment: pick,
      wanted: fc.constantFrom(2, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), environment: pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('keyed' as const),
      key: fc.constantFrom('a', 'b'),
      body: fc.constantFrom('1', '2'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('sequence' as const), limit: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 1, arbitrary: fc.constant<Operation>({ kind: 'prune' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('look' as const),
      limit: fc.integer({ min: 1, max: 4 }),
      pick,
      release: fc.option(pick, { freq: 4 }),
    }),
  },
);

/** Begins with somebody who works and something to work on. */
const sequence = fc
  .array(operation, { minLength: 1, maxLength: 80, size: 'max' })
  .map((rest): readonly Operation[] => [
    { kind: 'hire' },
    { kind: 'create', environment: 0, release: 0, who: 'alice' },
    { kind: 'create', environment: 2, release: 1, who: 'alice' },
    { kind: 'take', worker: 0, limit: 4 },
    ...rest,
  ]);

describe('memory = PostgreSQL', () => {
  const memory = openMemoryStoreWorld();
  let postgres: PostgresStoreWorld;
  const counts = new Map<string, number>();
  let stepCount = 0;
  let sequenceCount = 0;
  beforeAll(async () => {
    postgres = await openEmbeddedStoreWorld();
  });
  afterAll(async () => {
    const seen = Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
    console.log(JSON.stringify({ seed: SEED, sequences: sequenceCount, steps: stepCount, ...seen }));
    await postgres?.close();
  });

  it(
    'after every step of every sequence',
    async () => {
      await fc.assert(
        fc.asyncProperty(sequence, async (operations) => {
          const [left, right] = [await makeStoreActor(memory), await makeStoreActor(postgres)];
          for (const [index, one] of operations.entries()) {
            const step = `step ${index}, ${JSON.stringify(one)}`;
            const answer = await right.act(one);
            // Which of those that are due since the same moment is claimed, the database may choose.
            memory.prefer(claimedIn(answer));
            expectSame(`the answer to ${step}`, answer, await left.act(one));
            expectSameRows(step, await postgres.control.dump(), await memory.control.dump());
            stepCount += 1;
          }
          await expectSameStates(memory, postgres);
          sequenceCount += 1;
          for (const [what, count] of left.counts) counts.set(what, (counts.get(what) ?? 0) + count);
        }),
        { numRuns: RUNS, seed: SEED, plugins: [fc.interruptAfterTimeLimit(TIME_LIMIT_MS)] },
      );
      expect(stepCount).toBeGreaterThan(0);
    },
    TIME_LIMIT_MS + 300_000,
  );
});

function claimedIn(answer: unknown): readonly string[] {
  // What `take` answers; other operations claim nothing.
  type Taken = { readonly claimed?: readonly { readonly promotionId: string }[] } | null;
  const { answer: given } = answer as { readonly answer: Taken | readonly Taken[] };
  // `work` answers what it took first.
  const taken = (Array.isArray(given) ? given[0] : given) as Taken;
  return (taken?.claimed ?? []).map((one) => one.promotionId);
}

/** The whole states as the rules are asked about them, and that no rule of safety is broken: neither here nor in SQL. */
async function expectSameStates(memory: MemoryStoreWorld, { database, control }: PostgresStoreWorld): Promise<void> {
  const nowMs = control.nowMs();
  const left = toStoreState(memory.state());
  const [right, broken] = await transact(database, async (session) => [
    await readStoreState(session),
    await checkEverything(session, nowMs),
  ]);
  expectSame('the whole state', withoutOrder(right), withoutOrder(left));
  // Liveness needs somebody who works, and in a sequence nobody has to.
  const safety = (found: readonly Violation[]): readonly Violation[] =>
    found.filter((one) => one.property.startsWith('S'));
  expect(safety(violationsOf(left, nowMs)), 'rules on the memory store').toEqual([]);
  expect(safety(broken), 'rules in SQL').toEqual([]);
}

/** Lists sorted by their content. */
function withoutOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withoutOrder(field)]));
  }
  // A list that went through JSON is a list of JSON.
  const text = (one: unknown): string => canonicalJson(one as Json);
  const plain = JSON.parse(JSON.stringify(value.map(withoutOrder))) as unknown[];
  return plain.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** Table by table, so that a failure names the table and the row. */
function expectSameRows(step: string, postgresRows: StoreDump, memoryRows: StoreDump): void {
  expect(Object.keys(memoryRows).sort()).toEqual(Object.keys(postgresRows).sort());
  for (const [table, rows] of Object.entries(postgresRows)) {
    const others = memoryRows[table] ?? [];
    expectSame(`number of rows of ${table} after ${step}`, rows.length, others.length);
    for (const [index, row] of rows.entries()) expectSame(`${table} after ${step}`, row, others[index]);
  }
}

function expectSame(what: string, postgresValue: unknown, memoryValue: unknown): void {
  // As JSON: a field that is undefined is none.
  const plain = (value: unknown): unknown => (value === undefined ? null : JSON.parse(JSON.stringify(value)));
  if (isDeepStrictEqual(plain(postgresValue), plain(memoryValue))) return;
  expect(plain(memoryValue), `${what}: memory (received) and PostgreSQL (expected)`).toEqual(plain(postgresValue));
}
