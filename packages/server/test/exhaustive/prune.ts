/**
 * Drops the rows that `decide` and the commands will never look at again, so that promotions with another past and the
 * same future are one state. Every row was judged when it was written (`judge-write.ts`) and never changes afterwards. What
 * is left is numbered anew, as if the rest had never been: of a gate its current round and how many ran out of time; of an
 * operation the tries of the step that counts them; of an ended promotion that it ended, and how.
 */
import {
  type Attempt,
  type AttemptPurpose,
  type GateRun,
  isOpenSkip,
  isTerminal,
  operationIdOf,
  STEPS,
  type Step,
  type StepRun,
} from '@stella/domain';
import type { Part, Place } from './world.ts';

/** In which steps the attempts of that purpose are looked at. */
const LOOKED_AT: Readonly<Record<AttemptPurpose, readonly Step[]>> = {
  precheck_target: ['precheck'],
  precheck_artifact: ['precheck'],
  gate: STEPS,
  preflight_target: ['preflight'],
  preflight_artifact: ['preflight'],
  seal: ['deploy', 'verify', 'rollback'],
  deploy: ['deploy', 'verify', 'rollback'],
  batch_verify: ['deploy'],
  judge: ['deploy'],
  verify: ['verify'],
  rollback: ['rollback'],
  rollback_verify: ['rollback'],
};

export interface Pruned {
  readonly part: Part;
  /** Operations by what they were called, with the name that they have from now on. */
  readonly names: ReadonlyMap<string, string>;
}

export function prune(part: Part): Pruned {
  if (isTerminal(part.promotion.status)) return { part: tombstone(part), names: new Map() };
  const runs = keptRuns(part);
  const kept = new Set(runs.current.map((run) => run.id));
  const { attempts, names } = keptAttempts(part, kept);
  const { promotion } = part;
  return {
    names,
    part: {
      ...part,
      // Its place in the queue counts only there.
      promotion:
        promotion.ticket === null || promotion.step === 'acquire_locks' ? promotion : { ...promotion, ticket: 1 },
      steps: keptSteps(part),
      gateRuns: [...runs.expired, ...runs.current],
      attempts,
      approvals: part.approvals.filter((one) => kept.has(one.gateRunId)),
      skips: part.skips.filter((one) => isOpenSkip(one) || one.state === 'used'),
      run: part.run && { ...part.run, underWay: part.run.underWay.map((id) => names.get(id) ?? id) },
    },
  };
}

/** It only says how it ended: who waits, and what may be deployed afterwards, depends on nothing else. */
function tombstone({ promotion }: Part): Part {
  const rows = { steps: [], gateRuns: [], attempts: [], approvals: [], skips: [], locks: [], run: null };
  return { promotion: { ...promotion, cancelRequestedAtMs: null, cancelRequestedBy: null, ending: null }, ...rows };
}

function keptRuns(part: Part): { expired: GateRun[]; current: GateRun[] } {
  const current = part.gateRuns.filter((run) =>
    part.gateRuns.every((other) => other.gate !== run.gate || other.round <= run.round),
  );
  const expired = part.gateRuns
    .filter((run) => !current.includes(run) && run.state === 'expired' && run.message === 'gate_expired')
    .map((run) => ({ ...run, attemptCount: 0, verdict: null, verdictAtMs: null, validUntilMs: null }));
  const counted = (gate: string): GateRun[] => expired.filter((run) => run.gate === gate);
  return {
    expired: expired.map((run) => ({ ...run, round: counted(run.gate).indexOf(run) + 1 })),
    current: current.map((run) => ({ ...run, round: counted(run.gate).length + 1 })),
  };
}

function keptSteps({ promotion, steps }: Part): StepRun[] {
  const now = STEPS.indexOf(promotion.step);
  return steps.flatMap((one) => {
    const at = STEPS.indexOf(one.step);
    if (at > now) return [];
    return [at === now ? one : { ...one, state: 'succeeded' as const }];
  });
}

function keptAttempts(part: Part, kept: ReadonlySet<string>): { attempts: Attempt[]; names: Map<string, string> } {
  const { promotion } = part;
  const isOrphaned = part.attempts.some((one) => one.result === null && isOlder(one, part));
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const looked = part.attempts.filter((one) => {
    if (!LOOKED_AT[one.purpose].includes(promotion.step)) return false;
    if (one.gateRunId !== null) return kept.has(one.gateRunId);
    if (one.purpose === 'seal') return isOrphaned && one.fence?.n === part.locks[0]?.fence.n;
    const isPreflight = one.purpose === 'preflight_target' || one.purpose === 'preflight_artifact';
    const isCounted = !isPreflight && (one.purpose !== 'deploy' || promotion.step === 'deploy');
    return isCounted || isLast(part, one);
  });
  const attempts = looked.map((one) => {
    const key = `${one.purpose} ${one.subject}`;
    const number = (counts.get(key) ?? 0) + 1;
    counts.set(key, number);
    const operationId = operationIdOf(promotion.id, one.purpose, one.subject, String(number));
    names.set(one.operationId, operationId);
    return { ...one, number, operationId, result: keptResult(part, one) };
  });
  return { attempts, names };
}

/** Nobody will bring its answer: the lock has a newer fence. */
function isOlder({ fence }: Attempt, { locks }: Part): boolean {
  return fence !== null && fence.n < (locks[0]?.fence.n ?? 0);
}

function isLast({ attempts }: Part, { purpose, subject, number }: Attempt): boolean {
  return !attempts.some((one) => one.purpose === purpose && one.subject === subject && one.number > number);
}

/** An operation is tried again only when nobody could tell; why, nobody asks. */
function keptResult(part: Part, one: Attempt): Attempt['result'] {
  if (one.result === null || one.purpose === 'gate') return one.result;
  const isUnclear = one.result.outcome === 'timeout' || !isLast(part, one);
  const sealed = one.purpose === 'seal' ? one.result.sealed : null;
  return isUnclear ? { ...one.result, outcome: 'error', digest: null, sealed: null } : { ...one.result, sealed };
}

/**
 * Fences are compared, never read: what is there is numbered 1, 2, 3 … in the same order. Not while another promotion holds
 * the lock there: its rows have fences too.
 */
export function renumber({ part, names }: Pruned, place: Place): { part: Part; place: Place } {
  const nameNow = (id: string): string => names.get(id) ?? id;
  const { accepted } = place;
  const loose = place.loose.map((one) => ({ ...one, operationId: nameNow(one.operationId) }));
  const isTold = (id: string): boolean =>
    loose.some((one) => one.operationId === id) || part.attempts.some((one) => one.operationId === id);
  const operation = accepted?.operationId ? nameNow(accepted.operationId) : null;
  const isKnown = operation !== null && isTold(operation);
  const used = [
    place.highest,
    ...(accepted ? [accepted.fence.n] : []),
    ...loose.map((one) => one.fence),
    ...part.locks.map((lock) => lock.fence.n),
    ...part.attempts.flatMap((one) => (one.fence ? [one.fence.n] : [])),
  ].filter((n) => n > 0);
  const order = [...new Set(used)].sort((a, b) => a - b);
  const numbered = (n: number): number => order.indexOf(n) + 1;
  const fenced = <T extends { readonly fence: Attempt['fence'] }>(row: T): T =>
    row.fence ? { ...row, fence: { epoch: 1, n: numbered(row.fence.n) } } : row;
  return {
    part: { ...part, locks: part.locks.map(fenced), attempts: part.attempts.map(fenced) },
    place: {
      ...place,
      accepted: accepted && {
        fence: { epoch: 1, n: numbered(accepted.fence.n) },
        operationId: isKnown ? operation : null,
      },
      outcome: isKnown ? place.outcome : null,
      highest: numbered(place.highest),
      loose: loose.map((one) => ({ ...one, fence: numbered(one.fence) })),
      debts: place.debts.filter((one) => one.state === 'open'),
      lastFence: order.length,
    },
  };
}
