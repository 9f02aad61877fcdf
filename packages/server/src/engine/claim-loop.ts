/**
 * Takes what a table says is due, as much as there is room for, and works on each outside of any transaction. Any number of
 * loops share the table: a claim moves the due time on, so that one which dies loses nothing but time.
 */
import { type Clock, pause } from '../ports/clock.ts';

export interface ClaimLoopOptions<Item> {
  readonly clock: Clock;
  /** Between two looks at what is due. */
  readonly pollMs: number;
  /** Under way at once in this process; what is left is taken by other servers, or as soon as there is room. */
  readonly atOnce: number;
  /** At most `limit`; each counts as claimed. */
  readonly take: (limit: number) => Promise<readonly Item[]>;
  /** What `take` threw; it is tried again after the pause. */
  readonly onError: (error: unknown) => void;
  /** Never rejects: what was not recorded is due again. `signal`: the loop is to end. */
  readonly work: (item: Item, signal: AbortSignal) => Promise<void>;
}

export interface ClaimLoop {
  /** Takes nothing new, aborts what is under way and waits for its end; what was not recorded is due again. */
  stop(): Promise<void>;
}

export function startClaimLoop<Item>(options: ClaimLoopOptions<Item>): ClaimLoop {
  const halt = new AbortController();
  const underWay = new Set<Promise<void>>();
  const ended = run(options, halt.signal, underWay);
  return {
    async stop() {
      halt.abort();
      await ended;
      await Promise.all(underWay);
    },
  };
}

async function run<Item>(
  { clock, pollMs, atOnce, take, onError, work }: ClaimLoopOptions<Item>,
  signal: AbortSignal,
  underWay: Set<Promise<void>>,
): Promise<void> {
  while (!signal.aborted) {
    const room = atOnce - underWay.size;
    let isFull = room <= 0;
    try {
      const taken = isFull ? [] : await take(room);
      for (const item of taken) {
        const working: Promise<void> = work(item, signal).finally(() => underWay.delete(working));
        underWay.add(working);
      }
      isFull = taken.length >= room;
    } catch (error) {
      onError(error);
    }
    // More may be due than there was room for: whichever ends first makes room again.
    await (isFull ? Promise.race(underWay) : pause(clock, pollMs, signal));
  }
}
