import { makeTarget } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../ports/clock.ts';
import { CALL_TIMEOUT_MS, callTargets, lateWords, WHOLE_MS_MAX, wholeDeadlineMs } from './call-targets.ts';

/** A clock whose time is moved by whoever waits longest: to the next thing that is scheduled. */
function makeVirtualClock(): Clock & { readonly run: (until: Promise<unknown>) => Promise<void> } {
  let nowMs = 0;
  const due = new Map<symbol, { readonly atMs: number; readonly run: () => void }>();
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    schedule: (delayMs, run) => {
      const key = Symbol('scheduled');
      due.set(key, { atMs: nowMs + delayMs, run });
      return () => due.delete(key);
    },
    timeoutSignal: () => new AbortController().signal,
  };
  const run = async (until: Promise<unknown>): Promise<void> => {
    let isOver = false;
    const over = until.finally(() => (isOver = true));
    for (let count = 0; count < 5_000; count += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = [...due].sort(([, a], [, b]) => a.atMs - b.atMs);
      if (isOver || !next) break;
      due.delete(next[0]);
      nowMs = Math.max(nowMs, next[1].atMs);
      next[1].run();
    }
    await over;
  };
  return { ...clock, run };
}

const targetsOf = (count: number) => Array.from({ length: count }, (_, index) => makeTarget({ name: `web-${index}` }));

describe('calls at many targets', () => {
  it('are never more than allowed at a time, answer for every target in order, and end in time', async () => {
    const durations = fc.array(fc.constantFrom(0, 10, 3_000, 9_999, 60_000, Number.POSITIVE_INFINITY), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(durations, fc.integer({ min: 1, max: 25 }), async (takesMs, atOnce) => {
        const clock = makeVirtualClock();
        const targets = targetsOf(takesMs.length);
        let open = 0;
        const asked = callTargets<string>(
          clock,
          { targets, atOnce },
          {
            ask: async ({ name }, call) => {
              open += 1;
              expect(open).toBeLessThanOrEqual(atOnce);
              expect(call.timeoutMs).toBeLessThanOrEqual(CALL_TIMEOUT_MS);
              const ms = takesMs[targets.findIndex((one) => one.name === name)] ?? 0;
              await new Promise<void>((resolve) => {
                if (Number.isFinite(ms)) clock.schedule(ms, resolve);
                call.signal.addEventListener('abort', () => resolve());
              });
              open -= 1;
              return `${name} answered`;
            },
            late: ({ name }, waitedMs) => `${name} ${waitedMs > 0 ? 'late' : 'not asked'}`,
          },
        );
        await clock.run(asked);
        expect(clock.monotonicMs()).toBeLessThanOrEqual(wholeDeadlineMs({ targets, atOnce }));
        const answers = await asked;
        expect(answers.map((one) => one.split(' ')[0])).toEqual(targets.map(({ name }) => name));
        // Whoever is quick was heard, unless the time for all was over; whoever is slow was not.
        const isWholeLate = wholeDeadlineMs({ targets, atOnce }) === WHOLE_MS_MAX;
        const expected = takesMs.map((ms) => (ms < CALL_TIMEOUT_MS ? 'answered' : 'late'));
        const found = answers.map((one) => one.split(' ').at(-1));
        expect(isWholeLate || found.join() === expected.join()).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('have a deadline that grows with the rounds, up to two minutes', () => {
    const deadline = (count: number, atOnce: number): number => wholeDeadlineMs({ targets: targetsOf(count), atOnce });
    expect([deadline(1, 20), deadline(20, 20), deadline(21, 20), deadline(200, 20), deadline(200, 1)]).toEqual([
      CALL_TIMEOUT_MS,
      CALL_TIMEOUT_MS,
      2 * CALL_TIMEOUT_MS,
      10 * CALL_TIMEOUT_MS,
      WHOLE_MS_MAX,
    ]);
    expect(wholeDeadlineMs({ targets: targetsOf(200), atOnce: 20, wholeMsMax: 25_000 })).toBe(25_000);
    expect([lateWords(9_500), lateWords(0)]).toEqual(['no answer within 10s', 'not asked: the time for all was over']);
  });

  it('end with the first error, and ask nobody after it', async () => {
    const clock = makeVirtualClock();
    const asked: string[] = [];
    const called = callTargets<string>(
      clock,
      { targets: targetsOf(9), atOnce: 2 },
      {
        ask: ({ name }) => {
          asked.push(name);
          return name === 'web-2' ? Promise.reject(new Error('unreadable')) : Promise.resolve(name);
        },
        late: ({ name }) => name,
      },
    );
    await expect(called).rejects.toThrow('unreadable');
    expect(asked.length).toBeLessThan(6);
  });

  it('end with the error that stands for one who did not answer, which the timer itself survives (seed 181)', async () => {
    const clock = makeVirtualClock();
    const called = callTargets<string>(
      clock,
      { targets: targetsOf(2), atOnce: 2 },
      {
        ask: () => new Promise(() => undefined),
        late: ({ name }, waitedMs) => {
          throw new Error(`${name}: ${lateWords(waitedMs)}`);
        },
      },
    );
    const refusal = called.then(String, String);
    await clock.run(refusal);
    expect(await refusal).toBe('Error: web-0: no answer within 10s');
  });
});
