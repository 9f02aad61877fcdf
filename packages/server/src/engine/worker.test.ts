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
import { makeMemoryState, makeMemoryStores, putEnvironment } from '@stella/testkit/memory';
import { expect, it } from 'vitest';
import { NO_FAULTS } from '../ports/faults.ts';
import type { Logger } from '../ports/logger.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import { NO_WATCHDOG } from '../ports/watchdog.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeRandom } from '../system/node-random.ts';
import { createPromotion } from './commands/create-promotion.ts';
import { startWorker } from './worker.ts';

/** A claim that is not ticked is due again after a minute. */
const CLAIM_DUE_MS = 61_000;

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

it('runs a promotion whose claim committed while its answer was lost', async () => {
  const state = makeMemoryState(STANDARD_SETTINGS);
  const release = makeRelease(1);
  state.releases.set(release.id, release);
  putEnvironment(state, makeDefinition({ precheck: 'warn' }), makeEmptyEnvironment('prod'));
  let nowMs = TEST_EPOCH_MS;
  let lostCount = 0;
  const ids = makeIds(
    () => nodeClock.nowMs(),
    (count) => nodeRandom.bytes(count),
  );
  const stores = makeMemoryStores({
    state,
    ids,
    nowMs: () => nowMs,
    turn: (point) => {
      const isClaim = point === 'takeDueWork.committed' && [...state.promotions.values()][0]?.promotion.workerId;
      if (!isClaim || lostCount > 0) return Promise.resolve();
      lostCount += 1;
      return Promise.reject(new Error('the connection broke'));
    },
  });
  const wish = { release, environment: 'prod', priority: 'normal' as const, retryOf: null };
  const admin = makePrincipal('root', 'admin@*');
  const { body: id } = await stores.commands.transact(null, async (tx) => ({
    status: 201,
    body: await createPromotion(tx, { ids }, admin, wish),
  }));
  const workerId = ids.next('wrk');
  const worker = await startWorker(
    {
      store: stores.engine,
      runEffect: () =>
        Promise.resolve({ outcome: 'failed', code: '', message: 'no', output: '', digest: null, sealed: null }),
      clock: nodeClock,
      logger: SILENT,
      metrics: NO_METRICS,
      faults: NO_FAULTS,
      watchdog: NO_WATCHDOG,
      actor: { kind: 'worker', id: workerId },
    },
    {
      id: workerId,
      hostname: 'here',
      version: 'test',
      session: {
        pid: 1,
        backendStart: 'then',
        postmasterStart: state.postmasterStart,
        lost: new Promise(() => undefined),
      },
    },
  );
  try {
    await waitFor(() => lostCount === 1, { timeoutMs: 10_000, why: 'the claim' });
    expect(worker.runCount()).toBe(0);
    nowMs += CLAIM_DUE_MS;
    const ended = (): boolean => [...state.promotions.values()].every(({ promotion }) => promotion.endedAtMs !== null);
    await waitFor(ended, { timeoutMs: 10_000, why: `promotion ${String(id)} is run after all` });
  } finally {
    await worker.drain(0);
  }
});
