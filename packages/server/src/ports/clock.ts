/** Time as the server sees it. The database's clock decides leases and deadlines; this one measures and sleeps. */
export interface Clock {
  /** Unix milliseconds of the wall clock; may jump. */
  nowMs(): number;
  /** Milliseconds that only grow; for measuring and for a worker's own lease. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; the answer cancels it. */
  schedule(delayMs: number, run: () => void): () => void;
  /** Aborts after `delayMs`. Keeps no process alive. */
  timeoutSignal(delayMs: number): AbortSignal;
}

/** Resolves after `delayMs`, or at once when `signal` aborts (without error: look at the signal). */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.schedule(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
