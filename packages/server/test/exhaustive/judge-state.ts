/** What must hold in every state, in words of its own and by all rules of the domain about rows. */
import { isTerminal } from '@stella/domain';
import { type Judged, judgePart, judgeTogether } from './rules.ts';
import { NOW_MS, type Part, type Place, type Stage } from './world.ts';

/** Longest sleep of what waits for a machine or for its turn. */
const RECHECK_MS_MAX = 60_000;
const UNDER_LOCK: ReadonlySet<string> = new Set(['preflight', 'deploy', 'verify', 'rollback']);

/** Of one promotion, wherever it stands. */
export function judgeAlone(stage: Stage, part: Part, place: Place): Judged {
  const judged = judgePart(stage, part, place);
  return { ...judged, broken: ownWords(part) ?? judged.broken };
}

/** S1, L1 and L2 of one promotion. */
function ownWords({ promotion, run, locks }: Part): string | null {
  const isLive = !isTerminal(promotion.status);
  const mustHold = isLive && UNDER_LOCK.has(promotion.step);
  const holds = locks.some((lock) => lock.mode === 'exclusive');
  if (holds !== mustHold) return `S1: ${promotion.step} with${holds ? '' : 'out'} the lock`;
  if (isLive && run === null && promotion.workerId !== null && (promotion.nextActionAtMs ?? 0) > NOW_MS) {
    return 'L2: its worker is dead and it sleeps';
  }
  const isPatient = promotion.status === 'pending_approval' || promotion.status === 'scheduled';
  const sleepsMs = (promotion.nextActionAtMs ?? Number.POSITIVE_INFINITY) - NOW_MS;
  if (isLive && !isPatient && sleepsMs > RECHECK_MS_MAX) return `L1: ${promotion.step} sleeps ${sleepsMs} ms`;
  return null;
}

export interface State {
  readonly parts: readonly Part[];
  readonly judged: readonly Judged[];
  readonly places: readonly Place[];
}

/** The first broken promise; null when all is well. */
export function judgeState(stage: Stage, { parts, judged, places }: State): string | null {
  for (const one of judged) if (one.broken !== null) return one.broken;
  for (const { status, runs } of places) {
    const here = parts.filter(({ promotion }) => promotion.environment === status.name);
    const holders = here.filter((part) => part.locks.some((lock) => lock.mode === 'exclusive'));
    if (holders.length > 1) return `S1: ${status.name} has ${holders.length} holders`;
    if (holders.length > 0) continue;
    if (status.state === 'whole' && runs !== status.releaseId) {
      return `S10: ${status.name} is whole and runs something else`;
    }
    const broken = judgeTurn(here);
    if (broken) return broken;
  }
  return judgeTogether(stage, judged, places);
}

/** L4: nobody has the lock, so the first in the queue is due, or somebody looks at it. */
function judgeTurn(here: readonly Part[]): string | null {
  const queue = here.filter(({ promotion }) => promotion.step === 'acquire_locks' && promotion.ticket !== null);
  const [first] = queue.sort((a, b) => (a.promotion.ticket ?? 0) - (b.promotion.ticket ?? 0));
  if (!first || first.run || isTerminal(first.promotion.status)) return null;
  return (first.promotion.nextActionAtMs ?? 0) > NOW_MS
    ? 'L4: the lock is free and the first in the queue sleeps'
    : null;
}
