/** A deadline for work that cannot be interrupted itself, such as a call of a hung disk. */
import type { Clock } from '../ports/clock.ts';

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Makes the error when the time is over or `signal` aborted. */
  readonly giveUp: (why: string) => Error;
}

/**
 * Settles with `run`, or rejects with `giveUp` when that comes first; `run` then goes on unheard. A closable thing that
 * it answers too late is closed.
 */
export function raceDeadline<T>(
  run: () => Promise<T>,
  { clock, timeoutMs, signal, giveUp }: DeadlineOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const finish = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      signal?.removeEventListener('abort', abort);
      settle();
    };
    const abort = (): void => finish(() => reject(giveUp('the call was given up')));
    const cancel = clock.schedule(timeoutMs, () => finish(() => reject(giveUp(`no answer within ${timeoutMs} ms`))));
    if (signal?.aborted) {
      abort();
      return;
    }
    signal?.addEventListener('abort', abort, { once: true });
    run().then(
      (value) => (isOver ? closeLate(value) : finish(() => resolve(value))),
      (error: unknown) => finish(() => reject(error)),
    );
  });
}

function closeLate(value: unknown): void {
  // Any value may be asked for a member; it is checked before it is called.
  const { close } = (value ?? {}) as { close?: unknown };
  // Nobody waits any more: an error of the closing has no reader.
  if (typeof close === 'function') Promise.resolve(close.call(value)).catch(() => undefined);
}
