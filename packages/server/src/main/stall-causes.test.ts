import { makeSeededIds } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { StalledPromotion } from '../ports/diagnoser.ts';
import { makeStallCauses } from './stall-causes.ts';

const promotionId = makeSeededIds(1).next('prm');
const STALLED: StalledPromotion = {
  promotionId,
  environment: 'prod',
  sinceProgressMs: 1,
  summary: '',
  firstCause: null,
};

/** Looks are counted, and end when the test says so. */
function makeWorld(): {
  readonly looks: ((found: readonly StalledPromotion[] | Error) => void)[];
  readonly time: { nowMs: number };
  readonly ask: ReturnType<typeof makeStallCauses>;
} {
  const looks: ((found: readonly StalledPromotion[] | Error) => void)[] = [];
  const time = { nowMs: 0 };
  const diagnoseStalled = (): Promise<readonly StalledPromotion[]> =>
    new Promise((resolve, reject) => {
      looks.push((found) => (found instanceof Error ? reject(found) : resolve(found)));
    });
  const clock = { monotonicMs: () => time.nowMs };
  return { looks, time, ask: makeStallCauses({ clock, diagnoser: { diagnoseStalled }, limit: 5 }) };
}

describe('the causes of stalls, for everybody who scrapes', () => {
  it('are looked for once at a time, however long it takes, and kept for 10 s', async () => {
    const { looks, time, ask } = makeWorld();
    const asked = [ask(), ask()];
    time.nowMs = 60_000;
    asked.push(ask());
    expect(looks).toHaveLength(1);
    looks[0]?.([STALLED]);
    for (const answer of await Promise.all(asked)) expect([...answer]).toEqual([[promotionId, 'unknown']]);
    void ask();
    expect(looks).toHaveLength(2);
    looks[1]?.([]);
    await ask();
    time.nowMs += 9_999;
    expect((await ask()).size).toBe(0);
    expect(looks).toHaveLength(2);
  });

  it('are looked for again after a failure', async () => {
    const { looks, ask } = makeWorld();
    const failed = ask();
    looks[0]?.(new Error('gone'));
    await expect(failed).rejects.toThrow('gone');
    const again = ask();
    looks[1]?.([STALLED]);
    expect((await again).get(promotionId)).toBe('unknown');
  });
});
