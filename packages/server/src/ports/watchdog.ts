/**
 * Ends the process when its loop makes no progress, also when the event loop itself is blocked (safety L5): a process
 * that only seems to live keeps its claims from others for ever.
 */
export interface Watchdog {
  /** The loop went round once more. Cheap; any number of times. */
  feed(): void;
  /** From now on nobody has to feed it. Idempotent. */
  stop(): void;
}

export const NO_WATCHDOG: Watchdog = { feed: () => undefined, stop: () => undefined };
