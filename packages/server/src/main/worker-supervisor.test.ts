/** The supervisor on a store in memory: what becomes of the claims of a worker that has stopped. */
import { makeIds, STANDARD_SETTINGS } from '@stella/domain';
import { TEST_EPOCH_MS, waitFor } from '@stella/testkit';
import { makeMemoryState, makeMemoryStores } from '@stella/testkit/memory';
import { expect, it } from 'vitest';
import { NO_FAULTS } from '../ports/faults.ts';
import type { Logger } from '../ports/logger.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import { NO_WATCHDOG } from '../ports/watchdog.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeRandom } from '../system/node-random.ts';
import { superviseWorker } from './worker-supervisor.ts';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

it('signs a worker off that PostgreSQL restarted under, rather than let its lease run out', async () => {
  const state = makeMemoryState(STANDARD_SETTINGS);
  const ids = makeIds(
    () => nodeClock.nowMs(),
    (count) => nodeRandom.bytes(count),
  );
  const nowMs = (): number => TEST_EPOCH_MS;
  const stores = makeMemoryStores({ state, ids, nowMs, turn: () => Promise.resolve() });
  const losses: (() => void)[] = [];
  const supervisor = await superviseWorker({
    run: {
      store: stores.engine,
      runEffect: () => Promise.reject(new Error('there is nothing to do')),
      clock: nodeClock,
      logger: SILENT,
      metrics: NO_METRICS,
      faults: NO_FAULTS,
      watchdog: NO_WATCHDOG,
    },
    ids,
    openSession: () =>
      Promise.resolve({
        pid: losses.length,
        backendStart: 'then',
        postmasterStart: state.postmasterStart,
        lost: new Promise<void>((resolve) => losses.push(resolve)),
        close: () => Promise.resolve(),
      }),
    options: { hostname: 'here', version: 'test' },
  });
  try {
    const [first] = state.workers.keys();
    if (!first) throw new Error('no worker was registered');
    state.postmasterStart = 'later';
    losses[0]?.();
    // The database's clock stands still: no lease ends.
    await waitFor(() => state.workers.get(first)?.state === 'retired', { timeoutMs: 10_000, why: 'it is signed off' });
    expect([...state.workers.values()].map((worker) => worker.state)).toEqual(['retired', 'live']);
  } finally {
    await supervisor.drain(0);
  }
});
