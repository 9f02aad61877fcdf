/**
 * L2 tried out: when nothing else is wrong any more, a server dies or stands still with work in its hands, and the others
 * must have all of it within the limit.
 */
import { isTerminal, type PromotionId } from '@stella/domain';
import { insist, type MemoryState, type SeededRandom, type WriteRecord } from '@stella/testkit';
import { SESSION_GONE_MS_MAX } from '../simulated-database.ts';
import type { SimulatedServer } from '../simulated-server.ts';
import type { Scheduler } from '../scheduler.ts';

const TRIALS_MAX = 3;
/** Of a hundred writes with work to do. */
const TRIAL_PERCENT = 15;
const STANDSTILL_PERCENT = 40;
/** After the session is gone: a round of burials, and a poll. */
const FROM_DEAD_MS_MAX = SESSION_GONE_MS_MAX + 1_000;
/** Of one whose session stays: a lease, and the same. */
const FROM_STOPPED_MS_MAX = 20_000;
/** Longer than that, and shorter than a worker may be away. */
const STANDSTILL_MS = 25_000;

export interface TakeoverWorld {
  readonly scheduler: Scheduler;
  readonly state: MemoryState;
  /** Of its own, so that trials do not decide about anything else. */
  readonly random: SeededRandom;
  /** Faults have ended, and all servers are healthy. */
  readonly isCalm: () => boolean;
  readonly guarded: (check: () => void) => void;
  readonly reach: (what: string) => void;
}

export interface TakeoverTrials {
  onWrite(server: SimulatedServer, record: WriteRecord): void;
}

export function makeTakeoverTrials(world: TakeoverWorld): TakeoverTrials {
  let trialCount = 0;
  return {
    onWrite(server, { decision }) {
      const isWanted = trialCount < TRIALS_MAX && decision.effects.length > 0 && world.isCalm();
      if (!isWanted || !world.random.chance(TRIAL_PERCENT)) return;
      trialCount += 1;
      world.scheduler.after(world.random.between(0, 300), () => tryOne(world, server));
    },
  };
}

function tryOne(world: TakeoverWorld, server: SimulatedServer): void {
  const { scheduler, state, random, isCalm, guarded, reach } = world;
  if (!isCalm()) return;
  const { workerId, process } = server;
  const claims: [PromotionId, number][] = [];
  for (const { promotion } of state.promotions.values()) {
    if (promotion.workerId === workerId) claims.push([promotion.id, promotion.claimEpoch]);
  }
  if (claims.length === 0) return;
  const isStandstill = random.chance(STANDSTILL_PERCENT);
  reach(isStandstill ? 'takeover.from_stopped' : 'takeover.from_dead');
  if (isStandstill) {
    process.pause();
    scheduler.after(STANDSTILL_MS, () => process.resume());
  } else {
    server.kill();
  }
  const limitMs = isStandstill ? FROM_STOPPED_MS_MAX : FROM_DEAD_MS_MAX;
  scheduler.after(limitMs, () => {
    guarded(() => {
      for (const [id, claimEpoch] of claims) {
        const now = state.promotions.get(id)?.promotion;
        const isTaken = !now || isTerminal(now.status) || now.workerId !== workerId || now.claimEpoch > claimEpoch;
        insist('L2', isTaken, () => `${id} is still with ${server.name} ${limitMs} ms after that stood still or died`);
      }
    });
  });
}
