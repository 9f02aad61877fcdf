/**
 * The right to deploy, looked at afterwards: at the moment when the first deploy intent was written each gate had passed and
 * still counted (S8), enough persons had approved for that base (S9), and the release had come that way (S11). Whether the
 * approvers held their rights at that moment is no row's to tell: the simulation asks it at each write.
 */
import type { ApprovalGateDefinition } from '../environment/environment-definition.ts';
import { personOf } from '../identity/actor.ts';
import type { GateRun } from '../promotion/promotion.ts';
import { asksPredecessors, gatesOf } from '../promotion/gates-of.ts';
import { isComposed, releaseIdsOf } from '../promotion/scope.ts';
import type { ReleaseComponent } from '../release/release.ts';
import type { ReleaseId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import type { PromotionRecord, StoredApproval } from './store-state.ts';
import {
  baseOf,
  carries,
  deployStartOf,
  type Found,
  isByComponent,
  newestRun,
  type PromotionRule,
  type StoreView,
  unless,
} from './store-view.ts';

/** Whoever writes a deploy intent has entered the step that asks for the right. */
const intent: PromotionRule = {
  name: 'S8.intent',
  find: (record) => {
    const hasIntent = record.attempts.some((one) => one.purpose === 'deploy');
    const hasEntered = record.steps.some((run) => run.step === 'deploy' && run.startedAtMs !== null);
    return unless(!hasIntent || hasEntered, record, 'was deployed without having come to that step');
  },
};

const gates: PromotionRule = {
  name: 'S8.gates',
  find: (record) => {
    const atMs = deployStartOf(record);
    if (atMs === null) return [];
    const open = gatesOf(record.promotion).filter((gate) => {
      const run = newestRun(record, gate.name);
      return !isPassed(run, atMs) && !isSkipped(record, run, atMs);
    });
    return unless(
      open.length === 0,
      record,
      `was deployed though ${open.map((gate) => gate.name).join(', ')} had not passed`,
    );
  },
};

function isPassed(run: GateRun | undefined, atMs: InstantMs): boolean {
  if (run?.verdict !== 'passed' || run.verdictAtMs === null || run.validUntilMs === null) return false;
  return run.verdictAtMs <= atMs && atMs < run.validUntilMs;
}

/** Stepped around by two persons, neither of them alone, before the skip expired (the same as `decide/skips.ts`). */
function isSkipped(record: PromotionRecord, run: GateRun | undefined, atMs: InstantMs): boolean {
  const { requestedBy, baseReleaseId, definitionHash } = record.promotion;
  if (run?.state !== 'skipped') return false;
  return record.skips.some(
    (skip) =>
      skip.gateRunId === run.id &&
      skip.state === 'used' &&
      skip.decidedBy !== null &&
      skip.decidedBy !== skip.requestedBy &&
      skip.decidedBy !== personOf(requestedBy) &&
      skip.decidedAtMs !== null &&
      skip.decidedAtMs <= atMs &&
      skip.expiresAtMs !== null &&
      atMs < skip.expiresAtMs &&
      skip.baseReleaseId === baseReleaseId &&
      skip.definitionHash === definitionHash,
  );
}

/** It was gated and approved on top of what the environment ran. */
const base: PromotionRule = {
  name: 'S8.base',
  find: (record, view) => {
    const atMs = deployStartOf(record);
    const { baseReleaseId } = record.promotion;
    if (atMs === null || baseReleaseId === null) return [];
    if (isByComponent(view, record) || isComposed(baseReleaseId)) {
      const changed = changedComponents(record, view, atMs);
      return unless(changed.length === 0, record, 'was deployed over another release than its base');
    }
    const { latest, together } = completedBefore(view, record, atMs);
    const isBase = !latest || [latest, ...together].some(({ promotion }) => promotion.releaseId === baseReleaseId);
    return unless(isBase, record, `was deployed over another release than ${baseReleaseId}`);
  },
};

interface Completions {
  readonly latest: PromotionRecord | undefined;
  /** In the very millisecond: before it, when the lock was handed over at once, or after it. */
  readonly together: readonly PromotionRecord[];
}

/** What completed in its environment until then, of those that `isAsked` for. */
function completedBefore(
  view: StoreView,
  { promotion: { id, environment } }: PromotionRecord,
  atMs: InstantMs,
  isAsked: (one: PromotionRecord) => boolean = () => true,
): Completions {
  const others = view.completionsIn(environment).filter((one) => one.promotion.id !== id && isAsked(one));
  const endOf = ({ promotion }: PromotionRecord): InstantMs => promotion.endedAtMs ?? atMs;
  return {
    latest: others.find((one) => endOf(one) < atMs),
    together: others.filter((one) => endOf(one) === atMs),
  };
}

/** Components of its release that were of another release than its base says when it began to deploy. */
function changedComponents(record: PromotionRecord, view: StoreView, atMs: InstantMs): string[] {
  const { releaseId, baseReleaseId } = record.promotion;
  const names = view.releases.get(releaseId)?.components.map((one) => one.name) ?? [];
  return names.filter((name) => {
    // Whoever had the whole environment left nothing there but its own.
    const touches = (one: PromotionRecord): boolean =>
      carries(view, one.promotion.releaseId, name) || !isByComponent(view, one);
    const ranOf = ({ promotion }: PromotionRecord): ReleaseId | null =>
      carries(view, promotion.releaseId, name) ? promotion.releaseId : null;
    const { latest, together } = completedBefore(view, record, atMs, touches);
    const before = baseOf(view, baseReleaseId, name);
    return latest !== undefined && ![latest, ...together].some((one) => ranOf(one) === before);
  });
}

const enough: PromotionRule = {
  name: 'S9.enough',
  find: (record) => {
    const atMs = deployStartOf(record);
    if (atMs === null) return [];
    const lacking = gatesOf(record.promotion).filter(
      (gate) =>
        gate.kind === 'approval' &&
        newestRun(record, gate.name)?.state !== 'skipped' &&
        countApprovals(record, gate, atMs) < gate.count,
    );
    return unless(
      lacking.length === 0,
      record,
      `was deployed with too few approvals at ${lacking.map((one) => one.name).join(', ')}`,
    );
  },
};

function countApprovals(record: PromotionRecord, gate: ApprovalGateDefinition, atMs: InstantMs): number {
  const run = newestRun(record, gate.name);
  const { requestedBy, baseReleaseId, definitionHash } = record.promotion;
  const counting = record.approvals.filter(
    (one) =>
      one.gateRunId === run?.id &&
      one.decision === 'approved' &&
      one.atMs <= atMs &&
      one.personId !== personOf(requestedBy) &&
      one.baseReleaseId === baseReleaseId &&
      one.definitionHash === definitionHash &&
      (gate.group === null || gate.group.includes(one.subject)),
  );
  return new Set(counting.map((one) => one.personId)).size;
}

/** Nobody approves what he asked for, nor decides twice, nor at what is no approval gate of this promotion. */
const persons: PromotionRule = {
  name: 'S9.persons',
  find: (record) =>
    record.approvals.flatMap((one): Found[] => {
      const isOwn = one.decision === 'approved' && one.personId === personOf(record.promotion.requestedBy);
      const run = record.gateRuns.find((candidate) => candidate.id === one.gateRunId);
      const isAtGate = run?.kind === 'approval' && run.gate === one.gate;
      if (!isOwn && isAtGate && !isRepeated(record, one)) return [];
      return [{ subject: one.id, message: 'is not a decision that this person could make' }];
    }),
};

function isRepeated({ approvals }: PromotionRecord, { id, gateRunId, personId }: StoredApproval): boolean {
  return approvals.some((one) => one.id !== id && one.gateRunId === gateRunId && one.personId === personId);
}

const predecessors: PromotionRule = {
  name: 'S11.predecessors',
  find: (record, view) => {
    const atMs = deployStartOf(record);
    if (atMs === null || !asksPredecessors(record.promotion)) return [];
    const missing = record.promotion.definition.promotesFrom.filter((name) => !hasPassed(record, view, { name, atMs }));
    return unless(missing.length === 0, record, `was deployed before it completed in ${missing.join(', ')}`);
  },
};

/** The release completed there by then; of a deploy each of its artifacts did, in whatever release. */
function hasPassed({ promotion }: PromotionRecord, view: StoreView, place: { name: string; atMs: InstantMs }): boolean {
  const before = view.completionsIn(place.name).filter(({ promotion: p }) => (p.endedAtMs ?? 0) <= place.atMs);
  if (promotion.kind !== 'deploy') return before.some(({ promotion: p }) => p.releaseId === promotion.releaseId);
  const artifactsOf = (id: ReleaseId): readonly ReleaseComponent[] => view.releases.get(id)?.components ?? [];
  return artifactsOf(promotion.releaseId).every(({ name, digest }) =>
    before.some(({ promotion: p }) =>
      artifactsOf(p.releaseId).some((one) => one.name === name && one.digest === digest),
    ),
  );
}

/** What a rollback brings back had completed there before it was asked for. */
const back: PromotionRule = {
  name: 'S11.back',
  find: (record, view) => {
    const { kind, environment, releaseId } = record.promotion;
    const atMs = deployStartOf(record);
    if (kind !== 'rollback' || atMs === null) return [];
    const wasThere = view
      .completionsIn(environment)
      .some(
        ({ promotion: p }) => p.releaseId === releaseId && p.id !== record.promotion.id && (p.endedAtMs ?? 0) <= atMs,
      );
    return unless(wasThere, record, 'went back to what never completed there');
  },
};

const older: PromotionRule = {
  name: 'S11.older',
  find: (record, view) => {
    const { releaseId, baseReleaseId, kind } = record.promotion;
    if (kind !== 'promote' || deployStartOf(record) === null || baseReleaseId === null) return [];
    const below = Math.max(0, ...releaseIdsOf(baseReleaseId).map((id) => view.releases.get(id)?.number ?? 0));
    return unless(below <= (view.releases.get(releaseId)?.number ?? 0), record, 'was deployed over a newer release');
  },
};

export const RIGHT_RULES: readonly PromotionRule[] = [intent, gates, base, enough, persons, predecessors, back, older];
