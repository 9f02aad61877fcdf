/**
 * Chains all events after commit, in one order for everybody (safety S13). Several may run: they take turns by a row
 * lock. The window that is not yet in the global chain is at most a poll and a batch; promotions chain their own events
 * at once, inside their transaction.
 */
import type { Clock } from '../ports/clock.ts';
import { pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SequencerStore } from '../ports/sequencer-store.ts';

/** Looked for this often when there was nothing: bounds the lag (at most 1 s is promised). */
const POLL_MS = 100;
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
  while (!signal.aborted) {
    let waitMs = POLL_MS;
    try {
      if ((await store.appendToChain(BATCH_SIZE)) === BATCH_SIZE) waitMs = 0;
    } catch (error) {
      logger.warn({ error }, 'events could not be chained');
      waitMs = RETRY_MS;
    }
    if (waitMs > 0) await pause(clock, waitMs, signal);
  }
}
