/**
 * Chains all events after commit, in one order for everybody (safety S13). Several may run: they take turns by a row
 * lock. The window that is not yet in the global chain is at most a poll and a batch; promotions chain their own events
 * at once, inside their transaction.
 */
import type { Clock } from '../ports/clock.ts';
import { pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SequencerStore } from '../ports/sequencer-store.ts';

/** After there was something, it is looked again so soon; then less and less often, up to the bound of the lag. */
const POLL_MIN_MS = 100;
/** At most 1 s is promised. */
const POLL_MAX_MS = 800;
const RETRY_MS = 1_000;
/** Events of one transaction: short locks, and few commits under load. */
const BATCH_SIZE = 1_000;

export interface Sequencer {
  /** Ends after the batch under way. */
  stop(): Promise<void>;
}

export function startSequencer(deps: { store: SequencerStore; clock: Clock; logger: Logger }): Sequencer {
  const halt = new AbortController();
  const ended = run(deps, halt.signal);
  return {
    async stop() {
      halt.abort();
      await ended;
    },
  };
}

async function run(
  { store, clock, logger }: { store: SequencerStore; clock: Clock; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  let idleMs = POLL_MIN_MS;
  while (!signal.aborted) {
    let waitMs = 0;
    try {
      const count = await store.appendToChain(BATCH_SIZE);
      idleMs = count > 0 ? POLL_MIN_MS : Math.min(idleMs * 2, POLL_MAX_MS);
      if (count < BATCH_SIZE) waitMs = idleMs;
    } catch (error) {
      logger.warn({ error }, 'events could not be chained');
      waitMs = RETRY_MS;
    }
    if (waitMs > 0) await pause(clock, waitMs, signal);
  }
}
