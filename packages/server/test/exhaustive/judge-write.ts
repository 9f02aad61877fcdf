/**
 * What must hold at one write, with the moments as they were written: in words of its own, and by the rules of the domain
 * about the rows of one promotion. What was told before is taken as right, for it was judged when it was told; so the rules
 * about events see a summary of it, and after it the events of this write.
 */
import {
  type ChainedEvent,
  type Decision,
  digestOf,
  type EventType,
  type GateDefinition,
  type GateRun,
  isTerminal,
  type Json,
  type Promotion,
  type PromotionRecord,
  STATUS_TRANSITIONS,
  type StoredEvent,
} from '@stella/domain';
import { personIdOf } from '@stella/testkit';
import { recordOf, sceneRules } from './rules.ts';
import { NOW_MS, type Part, type Place, releaseOf, type Scene } from './world.ts';

export interface Write {
  readonly name: string;
  readonly before: Part;
  readonly decision: Decision;
  readonly part: Part;
  readonly place: Place;
}

const NO_HASH = digestOf('');
/** Acts of people, which leave the work to a worker. */
const COMMANDS = /^(?:approve|reject|cancel|skip|force)/;

/** The first broken promise; null when all is well. */
export function judgeWrite(scene: Scene, write: Write): string | null {
  return judgeMove(scene, write) ?? judgeRight(scene, write) ?? judgeRows(scene, write);
}

/** S2, S5, S7, S8 and L1. */
function judgeMove({ place }: Scene, { name, before, decision, part }: Write): string | null {
  const { promotion } = decision;
  const from = before.promotion.status;
  if (from !== promotion.status && !STATUS_TRANSITIONS[from].includes(promotion.status)) {
    return `S5: ${from} became ${promotion.status}`;
  }
  const fences = [
    ...decision.takenLocks.map((one) => one.fence.n),
    ...(decision.lockFence ? [decision.lockFence.n] : []),
    ...decision.newAttempts.flatMap((one) => (one.purpose !== 'seal' && one.fence ? [one.fence.n] : [])),
  ];
  if (fences.some((n) => n <= place.lastFence)) return 'S2: a fence was drawn that is not the newest';
  for (const run of decision.gateRuns) {
    const old = before.gateRuns.find((one) => one.gate === run.gate && one.round === run.round);
    if (old?.verdict && old.verdict !== run.verdict) return `S7: the verdict of ${run.gate} changed`;
  }
  const isCommand = COMMANDS.test(name);
  const isOver = part.skips.some((one) => one.state === 'approved' && (one.expiresAtMs ?? 0) <= NOW_MS);
  if (isOver && !isCommand) return 'S8: a skip stands though it has expired';
  if (!isTerminal(promotion.status) && !isCommand && decision.effects.length === 0) {
    if (promotion.workerId !== null) return 'L1: a worker keeps it and has nothing to do';
    if ((promotion.nextActionAtMs ?? 0) <= NOW_MS) return 'L1: it is due again in the same moment for ever';
  }
  return null;
}

/** S1, S8, S9, S11: the right to the first deploy, from the rows alone. */
function judgeRight({ stage, place, predecessor, part }: Scene, { decision }: Write): string | null {
  const { promotion, newAttempts } = decision;
  if (!newAttempts.some((one) => one.purpose === 'deploy' && one.number === 1)) return null;
  const release = releaseOf(stage, promotion.releaseId);
  if (place.status.releaseNumber > release.number) return 'S11: an older release is put over a newer one';
  if (predecessor && predecessor.status.releaseNumber < release.number) {
    return `S11: it never completed in ${predecessor.status.name}`;
  }
  if (!part.locks.some((lock) => lock.mode === 'exclusive')) return 'S1: it deploys without the lock';
  for (const gate of promotion.definition.gates) {
    const broken = judgeGate(part, decision, { gate, baseId: place.status.releaseId });
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
      one.state === 'approved' &&
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

/** The rules of the domain that look at this promotion alone. */
function judgeRows({ stage }: Scene, { before, decision, part, place }: Write): string | null {
  const told = decision.events.map((event) => ({ ...event, seq: null, chainHash: null }));
  const summary = summaryOf(before);
  const released = before.locks
    .filter((lock) => decision.releasedLocks.includes(lock.id))
    .map((lock) => ({ ...lock, releasedAtMs: NOW_MS }));
  const record = recordOf(part);
  const { promotion } = record;
  const chainLength = summary.length + told.length;
  const withHistory: PromotionRecord = {
    ...record,
    promotion: { ...promotion, chainLength },
    events: [...summary, ...told],
  };
  const ofWrite: PromotionRecord = { ...record, events: told };
  const rules = sceneRules(stage, part, { place, released });
  return (
    rules.first(withHistory, (rule) => !rule.startsWith('S13.')) ??
    // The chain begins anew with each write: what was chained before is not kept.
    (told.length === 0 ? null : rules.first(ofWrite, (rule) => rule === 'S13.own'))
  );
}

/** As few events as tell of all that the rows say. */
function summaryOf({ promotion, approvals, attempts, gateRuns }: Part): StoredEvent[] {
  const times = (type: EventType, count: number): StoredEvent[] =>
    Array.from({ length: count }, () => eventOf(promotion, type, {}));
  return [
    ...times('promotion.created', 1),
    ...times('promotion.cancel_requested', promotion.cancelRequestedAtMs === null ? 0 : 1),
    ...times('promotion.approved', approvals.filter((one) => one.decision === 'approved').length),
    ...times('promotion.rejected_by_person', approvals.filter((one) => one.decision === 'rejected').length),
    ...times('attempt.ended', attempts.filter((one) => one.result !== null).length),
    ...times('gate.opened', gateRuns.length),
    ...times('gate.verdict', gateRuns.filter((run) => run.verdict !== null).length),
    ...passage(promotion, 'promotion.status_changed', { from: 'in_progress', to: promotion.status }),
    ...passage(promotion, 'promotion.step_changed', { from: 'precheck', to: promotion.step }),
  ];
}

function passage(promotion: Promotion, type: EventType, data: { from: string; to: string }): StoredEvent[] {
  return data.from === data.to ? [] : [eventOf(promotion, type, data)];
}

function eventOf({ id, requestedBy }: Promotion, type: EventType, data: Json): StoredEvent {
  const event: ChainedEvent = {
    type,
    actor: requestedBy,
    atMs: NOW_MS,
    promotionId: id,
    subject: id,
    data,
    promotionSeq: null,
    hash: NO_HASH,
  };
  return { ...event, seq: null, chainHash: null };
}
