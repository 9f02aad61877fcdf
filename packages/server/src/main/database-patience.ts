/**
 * Patience of a server that starts: a database that is restarted, recovers or fails over at this moment answers soon, so
 * what could not be asked is asked again until a deadline. What waiting cannot cure is told at once.
 */
import { AppError, isAppError } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';

/** A recovery after a crash takes seconds; a service manager gives a start 90 s. */
export const DATABASE_PATIENCE_MS = 30_000;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 2_000;

/** A password, role or database that is wrong: class 28 and 3D of SQLSTATE. */
const INCURABLE = /^(28|3D)/;

/** Runs `work` until it does not end with `database.unavailable`, or the deadline passes; then that is its error. */
export type Insist = <T>(work: () => Promise<T>) => Promise<T>;

/** One deadline for everything that is insisted on; 0 asks once. */
export function makePatience(deps: { readonly clock: Clock; readonly logger: Logger }, patienceMs: number): Insist {
  const { clock, logger } = deps;
  const endsAtMs = clock.monotonicMs() + patienceMs;
  return async (work) => {
    let delayMs = RETRY_MIN_MS;
    while (clock.monotonicMs() < endsAtMs) {
      try {
        return await work();
      } catch (error) {
        if (!isCurable(error)) throw error;
        logger.warn({ error, retryMs: delayMs }, 'the database does not answer yet');
        await pause(clock, delayMs);
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
      }
    }
    return work();
  };
}

function isCurable(error: unknown): boolean {
  if (!isAppError(error, 'database.unavailable')) return false;
  return !INCURABLE.test(codeOf(error.cause));
}

function codeOf(cause: unknown): string {
  if (cause instanceof AppError) return codeOf(cause.cause);
  // Of the driver or of Node: an error that tells its code.
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}
