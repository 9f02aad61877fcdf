/** The observer on a store that the test fills: what it makes of what targets answer, or do not. */
import { type Digest, digestOf, type TargetLookAt } from '@stella/domain';
import { makeTarget, waitFor } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { DueRound, ObservationStore, Observer } from '../ports/observation-store.ts';
import type { ObserveAnswer, Target, TargetCall } from '../ports/target.ts';
import type { Clock } from '../ports/clock.ts';
import { nodeClock } from '../system/node-clock.ts';
import { startObserver } from './observer.ts';

const DIGEST = digestOf('a');
const WAIT = { timeoutMs: 30_000, why: 'it is recorded' };

interface Recorded {
  readonly round: DueRound;
  readonly looks: readonly TargetLookAt[];
  readonly observer: Observer;
}

function roundOf(names: readonly string[], patch: Partial<DueRound> = {}): DueRound {
  const targets = names.map((name) => makeTarget({ name, directory: `/srv/${name}` }));
  return { environment: 'prod', number: 7, claimedAtMs: 0, targets, atOnce: 20, timeoutMs: 30_000, ...patch };
}

function start(
  rounds: readonly DueRound[],
  look: (name: string, call: TargetCall) => Promise<ObserveAnswer>,
  clock: Clock = nodeClock,
) {
  const recorded: Recorded[] = [];
  const logged: string[] = [];
  const waiting = [...rounds];
  const store: ObservationStore = {
    takeDueRounds: (limit) => Promise.resolve(waiting.splice(0, limit)),
    recordRound: (round, looks, observer) => {
      recorded.push({ round, looks, observer });
      return Promise.resolve([]);
    },
  };
  const log = (_: unknown, message: string): void => void logged.push(message);
  const logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  const observer = startObserver({
    store,
    // Of a target only this verb is used.
    openTarget: ({ name }) => ({ observe: (call: TargetCall) => look(name, call) }) as Target,
    clock,
    random: { bytes: () => new Uint8Array([128]) },
    logger,
    name: 'host-1',
  });
  return { observer, recorded, logged };
}

const seen = (digest: Digest | null, message = ''): ObserveAnswer => ({
  outcome: 'ok',
  observation: { digest, isHealthy: true, message, holds: null },
});

describe('the observer', () => {
  it('records what each target says, once per round, and what could not be looked at as unseen', async () => {
    const { observer, recorded } = start([roundOf(['web-1', 'web-2'])], (name) =>
      Promise.resolve(
        name === 'web-1' ? seen(DIGEST) : { outcome: 'errored', code: 'target.unreachable', message: 'no way' },
      ),
    );
    await waitFor(() => Promise.resolve(recorded.length === 1), WAIT);
    await observer.stop();
    expect(recorded[0]?.observer).toEqual({ by: 'host-1', jitter: 0.5 });
    expect(recorded[0]?.looks.map(({ target, sight }) => [target.name, sight])).toEqual([
      ['web-1', { outcome: 'seen', digest: DIGEST, isHealthy: true, message: '' }],
      ['web-2', { outcome: 'unseen', code: 'target.unreachable', message: 'no way' }],
    ]);
  });

  it('gives up a target that ignores its time-out, and records the others', async () => {
    const { observer, recorded } = start([roundOf(['web-1', 'web-2'], { timeoutMs: 10 })], (name) =>
      name === 'web-1' ? new Promise(() => undefined) : Promise.resolve(seen(null, 'not whole')),
    );
    await waitFor(() => Promise.resolve(recorded.length === 1), WAIT);
    await observer.stop();
    const sights = new Map(recorded[0]?.looks.map(({ target, sight }) => [target.name, sight]));
    expect(sights.get('web-1')).toMatchObject({ outcome: 'unseen', code: 'request.timeout' });
    expect(sights.get('web-2')).toMatchObject({ outcome: 'seen', digest: null, message: 'not whole' });
  });

  it('looks at no more targets together than the round says', async () => {
    const names = Array.from({ length: 9 }, (_, index) => `web-${index}`);
    let [now, most] = [0, 0];
    const { observer, recorded } = start([roundOf(names, { atOnce: 2 })], async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return seen(DIGEST);
    });
    await waitFor(() => Promise.resolve(recorded.length === 1), WAIT);
    await observer.stop();
    expect([most, recorded[0]?.looks.length]).toEqual([2, 9]);
  });

  it('takes more as soon as there is room, when more was due than it had room for', async () => {
    const rounds = Array.from({ length: 10 }, (_, index) => roundOf(['web-1'], { environment: `env-${index}` }));
    // The pause between two looks at the schedule never ends.
    const clock = { ...nodeClock, schedule: () => () => undefined };
    const { observer, recorded } = start(rounds, () => Promise.resolve(seen(DIGEST)), clock);
    await waitFor(() => Promise.resolve(recorded.length === rounds.length), WAIT);
    expect(new Set(recorded.map(({ round }) => round.environment)).size).toBe(rounds.length);
    await observer.stop();
  });

  it('records nothing of looks that its own end has broken off', async () => {
    let isAborted = false;
    let hasBegun = false;
    const { observer, recorded } = start([roundOf(['web-1'])], (_name, { signal }) => {
      hasBegun = true;
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          isAborted = true;
          resolve({ outcome: 'errored', code: 'target.unreachable', message: 'aborted' });
        });
      });
    });
    await waitFor(() => Promise.resolve(hasBegun), WAIT);
    await observer.stop();
    expect([isAborted, recorded]).toEqual([true, []]);
  });

  it('takes a target that throws for one that cannot be looked at, and says so', async () => {
    const { observer, recorded, logged } = start([roundOf(['web-1', 'web-2'])], (name) =>
      name === 'web-1' ? Promise.reject(new Error('broken')) : Promise.resolve(seen(DIGEST)),
    );
    await waitFor(() => Promise.resolve(recorded.length === 1), WAIT);
    await observer.stop();
    const sights = new Map(recorded[0]?.looks.map(({ target, sight }) => [target.name, sight]));
    expect(sights.get('web-1')).toEqual({ outcome: 'unseen', code: 'internal', message: 'broken' });
    expect(sights.get('web-2')).toMatchObject({ outcome: 'seen' });
    expect(logged).toContain('a look at a target threw');
  });
});
