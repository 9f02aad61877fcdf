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

/**
 * What `work` answers, or `late()` when it has not ended after `deadlineMs`: then its signal has aborted, and it is left to
 * itself. Its signal aborts with `signal`, too; that alone is no end. Throws what `work` or `late` throws.
 */
export async function endWithin<T>(
  clock: Clock,
  { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
  late: () => T,
): Promise<T> {
  const overdue = new AbortController();
  let cancel = (): void => undefined;
  const given = new Promise<T>((resolve, reject) => {
    cancel = clock.schedule(deadlineMs, () => {
      overdue.abort();
      // An error of a timer would end the process.
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    });
  });
  try {
    return await Promise.race([work(AbortSignal.any([signal, overdue.signal])), given]);
  } finally {
    cancel();
  }
}
