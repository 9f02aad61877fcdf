/** Patience on a clock that only moves when it is waited for. */
import { AppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { makePatience } from './database-patience.ts';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

function makeClock(): Clock {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    schedule: (delayMs, run) => {
      nowMs += delayMs;
      queueMicrotask(run);
      return () => undefined;
    },
    timeoutSignal: () => new AbortController().signal,
  };
}

function away(code: string): AppError {
  const cause = Object.assign(new Error('it does not answer'), { code });
  return new AppError('database.unavailable', { details: { message: 'it does not answer' }, cause });
}

class Work {
  askedCount = 0;
  readonly error: Error;
  readonly failureCount: number;

  /** Fails so often, with that, and then succeeds. */
  constructor(error: Error, failureCount: number) {
    this.error = error;
    this.failureCount = failureCount;
  }

  readonly run = (): Promise<string> => {
    this.askedCount += 1;
    return this.askedCount > this.failureCount ? Promise.resolve('answer') : Promise.reject(this.error);
  };
}

describe('a server that starts while its database', () => {
  it('restarts, waits for it', async () => {
    const insist = makePatience({ clock: makeClock(), logger: SILENT }, 30_000);
    for (const code of ['ECONNREFUSED', '57P03', '57P01', '']) {
      expect(await insist(new Work(away(code), 2).run)).toBe('answer');
    }
  });

  it('stays away, says so when its patience is over', async () => {
    const clock = makeClock();
    const insist = makePatience({ clock, logger: SILENT }, 30_000);
    const work = new Work(away('ECONNREFUSED'), Number.POSITIVE_INFINITY);
    await expect(insist(work.run)).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(30_000);
    expect(clock.monotonicMs()).toBeLessThan(33_000);
  });

  it.each([
    ['a wrong password', away('28P01')],
    ['a database that is not there', away('3D000')],
    ['another error', new AppError('database.schema_newer', { details: { found: 9, known: 1 } })],
  ])('refuses it for %s, says so at once', async (_, error) => {
    const work = new Work(error, 1);
    await expect(makePatience({ clock: makeClock(), logger: SILENT }, 30_000)(work.run)).rejects.toBe(error);
    expect(work.askedCount).toBe(1);
  });

  it('does not answer, asks once when it has no patience', async () => {
    const work = new Work(away('ECONNREFUSED'), 1);
    await expect(makePatience({ clock: makeClock(), logger: SILENT }, 0)(work.run)).rejects.toMatchObject({
      code: 'database.unavailable',
    });
    expect(work.askedCount).toBe(1);
  });
});
