/** The worker on a store in memory, where what goes wrong with a commit is for the test to say. */
import { makeIds, STANDARD_SETTINGS } from '@stella/domain';
import {
  makeDefinition,
  makeEmptyEnvironment,
  makePrincipal,
  makeRelease,
  TEST_EPOCH_MS,
  waitFor,
} from '@stella/testkit';
import {
  makeMemoryState,
  makeMemoryStores,
  type MemoryState,
  type MemoryStores,
  putEnvironment,
} from '@stella/testkit/memory';
import { expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import { SUSPECT_FAILURES } from '../ports/engine-store.ts';
import { NO_FAULTS } from '../ports/faults.ts';
import type { Logger } from '../ports/logger.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import { NO_WATCHDOG } from '../ports/watchdog.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeRandom } from '../system/node-random.ts';
import { createPromotion } from './commands/create-promotion.ts';
import { startWorker, type Worker } from './worker.ts';

const SUSPECT_COUNT = 5;
const POLL_MS = 250;
const NEVER_MS = 600_000;

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

interface Stage {
  readonly state: MemoryState;
  readonly stores: MemoryStores;
  /** Of the database's clock. */
  pass(ms: number): void;
  /** One promotion into each environment. */
  create(count: number): Promise<void>;
  start(clock?: Clock): Promise<Worker>;
  readonly hasEnded: () => boolean;
}

function setUp(turn: (point: string, state: MemoryState) => Promise<void> = () => Promise.resolve()): Stage {
  const state = makeMemoryState(STANDARD_SETTINGS);
  const release = makeRelease(1);
  state.releases.set(release.id, release);
  let nowMs = TEST_EPOCH_MS;
  const ids = makeIds(
    () => nodeClock.nowMs(),
    (count) => nodeRandom.bytes(count),
  );
  const stores = makeMemoryStores({ state, ids, nowMs: () => nowMs, turn: (point) => turn(point, state) });
  const admin = makePrincipal('root', 'admin@*');
  return {
    state,
    stores,
    pass: (ms) => {
      nowMs += ms;
    },
    async create(count) {
      for (let number = 1; number <= count; number += 1) {
        const environment = `prod-${number}`;
        putEnvironment(
          state,
          makeDefinition({ name: environment, precheck: 'warn' }),
          makeEmptyEnvironment(environment),
        );
        const wish = { release, environment, priority: 'normal' as const, retryOf: null };
        await stores.commands.transact(null, async (tx) => ({
          status: 201,
          body: await createPromotion(tx, { ids }, admin, wish),
        }));
      }
    },
    start(clock = nodeClock) {
      const id = ids.next('wrk');
      const session = {
        pid: 1,
        backendStart: 'then',
        postmasterStart: state.postmasterStart,
        lost: new Promise<void>(() => undefined),
      };
      const deps = {
        store: stores.engine,
        runEffect: () =>
          Promise.resolve({
            outcome: 'failed',
            code: '',
            message: 'no',
            output: '',
            digest: null,
            sealed: null,
          } as const),
        clock,
        logger: SILENT,
        metrics: NO_METRICS,
        faults: NO_FAULTS,
        watchdog: NO_WATCHDOG,
        actor: { kind: 'worker', id } as const,
      };
      return startWorker(deps, { id, hostname: 'here', version: 'test', session });
    },
    hasEnded: () => [...state.promotions.values()].every(({ promotion }) => promotion.endedAtMs !== null),
  };
}

it('runs a promotion whose claim committed while its answer was lost', async () => {
  let lostCount = 0;
  const stage = setUp((point, state) => {
    const isClaim = point === 'takeDueWork.committed' && [...state.promotions.values()][0]?.promotion.workerId;
    if (!isClaim || lostCount > 0) return Promise.resolve();
    lostCount += 1;
    return Promise.reject(new Error('the connection broke'));
  });
  await stage.create(1);
  const worker = await stage.start();
  try {
    await waitFor(() => lostCount === 1, { timeoutMs: 10_000, why: 'the claim' });
    // The clock of the database stands still: it is not due again.
    await waitFor(stage.hasEnded, { timeoutMs: 10_000, why: 'the promotion is run after all' });
    expect(lostCount).toBe(1);
  } finally {
    await worker.drain(0);
  }
});

it('takes the next suspect when the one before was written, not with the next poll', async () => {
  const stage = setUp();
  await stage.create(SUSPECT_COUNT);
  for (const [id, row] of stage.state.promotions) {
    stage.state.promotions.set(id, { ...row, claimFailureCount: SUSPECT_FAILURES });
  }
  // Polls do not come again while the test lasts.
  const schedule: Clock['schedule'] = (delayMs, run) =>
    nodeClock.schedule(delayMs === POLL_MS ? NEVER_MS : delayMs, run);
  const worker = await stage.start({ ...nodeClock, schedule });
  try {
    await waitFor(stage.hasEnded, { timeoutMs: 10_000, why: 'all of them were taken' });
    expect(stage.state.promotions.size).toBe(SUSPECT_COUNT);
  } finally {
    await worker.drain(0);
  }
});

it('polls on while old rows are being removed, however long that takes', async () => {
  let letGo = (): void => undefined;
  const isRemoving = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let pruneCount = 0;
  const stage = setUp((point) => {
    if (!point.startsWith('prune')) return Promise.resolve();
    pruneCount += 1;
    return isRemoving;
  });
  let monotonicMs = 0;
  const worker = await stage.start({ ...nodeClock, monotonicMs: () => monotonicMs });
  try {
    // Retention begins two seconds after the start.
    monotonicMs = 3_000;
    await waitFor(() => pruneCount === 1, { timeoutMs: 10_000, why: 'old rows are being removed' });
    await stage.create(1);
    await waitFor(stage.hasEnded, { timeoutMs: 10_000, why: 'the promotion is run meanwhile' });
    expect(pruneCount).toBe(1);
  } finally {
    letGo();
    await worker.drain(0);
  }
});
