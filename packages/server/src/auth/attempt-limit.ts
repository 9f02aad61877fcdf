/** Bounds failed attempts to log in, per address: codes cannot be guessed, and guessing costs us little. */
import { AppError } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';

const FAILURES_MAX = 10;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; the oldest is forgotten first. */
const ADDRESSES_MAX = 10_000;

export interface AttemptLimit {
  /** Throws `auth.rate_limited` when the address has failed too often. */
  check(address: string): void;
  noteFailure(address: string): void;
}

export function makeAttemptLimit(clock: Clock): AttemptLimit {
  const failures = new Map<string, { count: number; endsAtMs: number }>();
  return {
    check(address) {
      const known = failures.get(address);
      if (!known) return;
      const leftMs = known.endsAtMs - clock.monotonicMs();
      if (leftMs <= 0) failures.delete(address);
      else if (known.count >= FAILURES_MAX) {
        throw new AppError('auth.rate_limited', { details: { retryAfterSeconds: Math.ceil(leftMs / 1_000) } });
      }
    },
    noteFailure(address) {
      const known = failures.get(address);
      const oldest = failures.keys().next();
      if (!known && failures.size >= ADDRESSES_MAX && !oldest.done) failures.delete(oldest.value);
      failures.set(address, {
        count: (known?.count ?? 0) + 1,
        endsAtMs: known?.endsAtMs ?? clock.monotonicMs() + WINDOW_MS,
      });
    },
  };
}
