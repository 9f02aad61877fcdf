import { describe, expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import { raceDeadline } from './deadline.ts';

interface ManualClock extends Clock {
  /** Runs what is scheduled, whatever its time. */
  fire(): void;
  readonly openCount: () => number;
}

function manualClock(): ManualClock {
  const open = new Set<() => void>();
  return {
    nowMs: () => 0,
    monotonicMs: () => 0,
    schedule: (_delayMs, run) => {
      open.add(run);
      return () => open.delete(run);
    },
    timeoutSignal: () => new AbortController().signal,
    fire: () => {
      for (const run of open) run();
    },
    openCount: () => open.size,
  };
}

function race<T>(run: () => Promise<T>, signal?: AbortSignal): { clock: ManualClock; result: Promise<T> } {
  const clock = manualClock();
  const giveUp = (why: string): Error => new Error(why);
  return { clock, result: raceDeadline(run, { clock, timeoutMs: 5, signal, giveUp }) };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('raceDeadline', () => {
  it('settles with the work and leaves no timer', async () => {
    const good = race(async () => 1);
    expect(await good.result).toBe(1);
    const bad = race(() => Promise.reject(new Error('no')));
    await expect(bad.result).rejects.toThrow('no');
    expect([good.clock.openCount(), bad.clock.openCount()]).toEqual([0, 0]);
  });

  it('gives up at the deadline', async () => {
    const { clock, result } = race(never);
    clock.fire();
    await expect(result).rejects.toThrow('no answer within 5 ms');
  });

  it('gives up when the signal aborts, and does not begin when it has', async () => {
    const controller = new AbortController();
    const { clock, result } = race(never, controller.signal);
    controller.abort();
    await expect(result).rejects.toThrow('given up');
    let isBegun = false;
    const late = race(async () => {
      isBegun = true;
    }, AbortSignal.abort());
    await expect(late.result).rejects.toThrow('given up');
    expect([isBegun, clock.openCount(), late.clock.openCount()]).toEqual([false, 0, 0]);
  });

  it('closes what comes too late', async () => {
    let finish: (value: { close: () => void }) => void = () => undefined;
    const { clock, result } = race(() => new Promise<{ close: () => void }>((resolve) => (finish = resolve)));
    clock.fire();
    await expect(result).rejects.toThrow('no answer');
    await new Promise<void>((resolve) => finish({ close: resolve }));
  });
});
