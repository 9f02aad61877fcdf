/** The real clock. */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../ports/clock.ts';

/** Longer delays would overflow Node's timers (2^31 - 1 ms) and fire at once. */
const DELAY_MS_MAX = 2_147_483_647;

export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), DELAY_MS_MAX));
    return () => clearTimeout(timer);
  },
  timeoutSignal(delayMs) {
    const signal = AbortSignal.timeout(Math.min(Math.max(0, Math.ceil(delayMs)), DELAY_MS_MAX));
    // Node 20 collects one that only `AbortSignal.any` knows, whatever waits for that, and it never aborts; a listener holds it.
    signal.addEventListener('abort', () => undefined, { once: true });
    return signal;
  },
};
