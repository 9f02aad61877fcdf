/**
 * What must hold in every state and at every write of the search, in words of its own and by the rules of the domain.
 * Answers the first broken promise, null when all is well.
 */
import {
  type Decision,
  isTerminal,
  type GateDefinition,
  type GateRun,
  STATUS_TRANSITIONS,
  type StoreState,
  violationsOf,
} from '@stella/domain';
import { personIdOf } from '@stella/testkit';
import type { Move } from './moves.ts';
import { NOW_MS, type Part, partOf, placeOf, releaseOf, type Stage, type World } from './world.ts';

/** Longest sleep of what waits for a machine or for its turn. */
const RECHECK_MS_MAX = 60_000;
/**
 * Rules of the domain that ask about rows as they stand. The others read events or compare dates of what is over, and
 * neither is kept here: histories that differ by nothing else are one state. `judgeWrite` asks those at the write itself.
 */
const ABOUT_NOW: ReadonlySet<string> = new Set(['S1', 'S4', 'S5', 'S10', 'S17', 'L1', 'L2', 'L3', 'L4', 'L7']);
const UNDER_LOCK = new Set(['preflight', 'deploy', 'verify', 'rollback']);

export function judge(stage: Stage, before: World, move: Move): string | null {
  return move.broken ?? judgeWrite(stage, before, move) ?? judgeState(stage, move.world);
}

/** S2, S5, S8, S9, S10 and L1 of one write. */
function judgeWrite(stage: Stage, before: World, { decision, promotionIndex, name }: Move): string | null {
  if (!decision) return null;
  const part = partOf(before, promotionIndex);
  const { promotion } = decision;
  const from = part.promotion.status;
  if (from !== promotion.status && !STATUS_TRANSITIONS[from].includes(promotion.status)) {
    return `S5: ${from} became ${promotion.status}`;
  }
  const place = placeOf(before, promotion.environment);
  const fences = [
    ...decision.takenLocks.map((one) => one.fence.n),
    ...(decision.lockFence ? [decision.lockFence.n] : []),
  ];
  if (fences.some((n) => n <= place.lastFence)) return 'S2: a fence was drawn that is not the newest';
  for (const run of decision.gateRuns) {
    const old = part.gateRuns.find((one) => one.gate === run.gate && one.round === run.round);
    if (old?.verdict && old.verdict !== run.verdict) return `S7: the verdict of ${run.gate} changed`;
  }
  const isCommand = !name.includes(':') && ['approve', 'reject', 'cancel', 'skip'].includes(name);
  if (!isTerminal(promotion.status) && !isCommand && !name.startsWith('skip') && decision.effects.length === 0) {
    if (promotion.workerId !== null) return 'L1: a worker keeps it and has nothing to do';
    if ((promotion.nextActionAtMs ?? 0) <= NOW_MS) return 'L1: it is due again in the same moment for ever';
  }
  const deploys = decision.newAttempts.filter((one) => one.purpose === 'deploy');
  return deploys.some((one) => one.number === 1) ? judgeRight(stage, before, { part, decision }) : null;
}

/** S8, S9, S11: the right to the first deploy, from the rows alone. */
function judgeRight(
  stage: Stage,
  before: World,
  { part, decision }: { part: Part; decision: Decision },
): string | null {
  const { promotion } = decision;
  const { status } = placeOf(before, promotion.environment);
  const release = releaseOf(stage, promotion.releaseId);
  if (status.releaseNumber > release.number) return 'S11: an older release is put over a newer one';
  for (const name of promotion.definition.promotesFrom) {
    if (placeOf(before, name).status.releaseNumber < release.number) return `S11: it never completed in ${name}`;
  }
  if (!part.locks.some((lock) => lock.mode === 'exclusive')) return 'S1: it deploys without the lock';
  for (const gate of promotion.definition.gates) {
    const broken = judgeGate(part, decision, { gate, baseId: status.releaseId });
    if (broken) return broken;
  }
  return null;
}

function judgeGate(
  part: Part,
  decision: Decision,
  { gate, baseId }: { gate: GateDefinition; baseId: string | null },
): string | null {
  const runs = part.gateRuns.filter((one) => one.gate === gate.name).sort((a, b) => b.round - a.round);
  const run: GateRun | undefined = decision.gateRuns.find((one) => one.gate === gate.name) ?? runs[0];
  if (!run) return `S8: gate ${gate.name} was never opened`;
  const isSkipped = part.skips.some(
    (one) =>
      one.gate === gate.name &&
      one.decidedBy !== null &&
      one.decidedBy !== one.requestedBy &&
      (one.state === 'approved' || one.state === 'used') &&
      (one.expiresAtMs ?? 0) > NOW_MS &&
      one.baseReleaseId === baseId,
  );
  if (isSkipped) return null;
  if (run.verdict !== 'passed') return `S8: it deploys though gate ${gate.name} is ${run.state}`;
  if ((run.validUntilMs ?? 0) <= NOW_MS) return `S8: it deploys though the verdict of ${gate.name} has expired`;
  if (gate.kind !== 'approval') return null;
  const persons = part.approvals.filter(
    (one) =>
      one.gateRunId === runs[0]?.id &&
      one.decision === 'approved' &&
      one.personId !== personIdOf('alice') &&
      one.baseReleaseId === baseId,
  );
  const count = new Set(persons.map((one) => one.personId)).size;
  return count < gate.count ? `S9: it deploys with ${count} of ${gate.count} approvals` : null;
}

/** S1, S10, L1, L2 and L4 of one state, and all rules of the domain about stored rows. */
function judgeState(stage: Stage, world: World): string | null {
  for (const part of world.parts) {
    const { promotion, run, locks } = part;
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
  }
  for (const { status, runs } of world.places) {
    const here = world.parts.filter(({ promotion }) => promotion.environment === status.name);
    const holders = here.filter((part) => part.locks.some((lock) => lock.mode === 'exclusive'));
    if (holders.length > 1) return `S1: ${status.name} has ${holders.length} holders`;
    if (holders.length === 0 && status.state === 'whole' && runs !== status.releaseId) {
      return `S10: ${status.name} is whole and runs something else`;
    }
    const broken = holders.length === 0 ? judgeTurn(here) : null;
    if (broken) return broken;
  }
  const first = violationsOf(toStoreState(stage, world), NOW_MS).find(({ property }) => ABOUT_NOW.has(property));
  return first ? `${first.property}: ${first.rule}: ${first.message}` : null;
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

/** Rows as a store has them; events are left out, for their chain is not kept here. */
function toStoreState({ releases, workerCount }: Stage, world: World): StoreState {
  const promotions = world.parts.map(({ locks: _locks, run: _run, ...rows }) => ({
    ...rows,
    approvals: rows.approvals.map(({ bindingsNow: _now, ...one }) => one),
    attempts: rows.attempts.map(({ result, ...one }) => ({
      ...one,
      outcomes: result === null ? [] : [{ ...result, isLate: false }],
    })),
    events: [],
  }));
  return {
    installation: { epoch: 1, lastFenceNumber: Math.max(...world.places.map((place) => place.lastFence)) },
    promotions,
    locks: world.parts.flatMap((part) => part.locks.map((lock) => ({ ...lock, releasedAtMs: null }))),
    environments: world.places.map((place) => place.status),
    releases: [...releases.values()],
    workers: Array.from({ length: workerCount }, (_, n) => {
      const isBusy = world.parts.some((part) => part.run?.worker === n);
      const leaseUntilMs = NOW_MS + RECHECK_MS_MAX;
      // Named as every source names ids.
      const id = `wrk_${n}` as StoreState['workers'][number]['id'];
      return { id, state: isBusy ? ('live' as const) : ('dead' as const), heartbeatAtMs: NOW_MS, leaseUntilMs };
    }),
    events: [],
    chain: { seq: 0, hash: null },
    idempotencyKeys: [],
  };
}
