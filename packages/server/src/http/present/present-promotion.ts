/** A promotion as the API shows it: in a list, and as a whole. */
import type { Answer } from '@stella/contract';
import {
  type Attempt,
  formatFence,
  type GateRun,
  isStalledAt,
  isTerminal,
  possibleLines,
  type PromotionSnapshot,
  stallsAtMs,
  STEPS,
  targetStandings,
  toRfc3339,
} from '@stella/domain';
import type { PromotionRow } from '../../ports/read-store.ts';
import { presentStop } from './present-stop.ts';
import { presentDebt, presentSkip } from './present-skip.ts';
import { presentActor, presentInstant } from './values.ts';

type Detail = Answer<'getPromotion'>;

export function presentPromotionRow(row: PromotionRow): Answer<'listPromotions'>['items'][number] {
  return {
    id: row.id,
    release: { id: row.releaseId, name: row.releaseName },
    environment: row.environment,
    kind: row.kind,
    status: row.status,
    step: row.step,
    priority: row.priority,
    requestedBy: presentActor(row.requestedBy),
    createdAt: toRfc3339(row.createdAtMs),
    lastProgressAt: toRfc3339(row.lastProgressAtMs),
    endedAt: presentInstant(row.endedAtMs),
  };
}

export function presentPromotion(snapshot: PromotionSnapshot, nowMs: number): Detail {
  const { promotion, release, base, locks } = snapshot;
  const stallsMs = stallsAtMs(snapshot);
  return {
    id: promotion.id,
    release: { id: release.id, name: release.name },
    environment: promotion.environment,
    kind: promotion.kind,
    status: promotion.status,
    step: promotion.step,
    priority: promotion.priority,
    requestedBy: presentActor(promotion.requestedBy),
    createdAt: toRfc3339(promotion.createdAtMs),
    lastProgressAt: toRfc3339(promotion.lastProgressAtMs),
    endedAt: presentInstant(promotion.endedAtMs),
    version: promotion.version,
    now: toRfc3339(nowMs),
    retryOf: promotion.retryOf,
    isForced: promotion.isForced,
    base: base && promotion.baseReleaseId === base.id ? { id: base.id, name: base.name } : null,
    definitionHash: promotion.definitionHash,
    ticket: promotion.ticket,
    nextActionAt: presentInstant(promotion.nextActionAtMs),
    workerId: promotion.workerId,
    claimEpoch: promotion.claimEpoch,
    isStalled: isStalledAt(snapshot, nowMs),
    stallsAt: presentInstant(stallsMs),
    cancelRequestedAt: presentInstant(promotion.cancelRequestedAtMs),
    setAside: promotion.setAside && {
      at: toRfc3339(promotion.setAside.atMs),
      message: promotion.setAside.message,
    },
    stop: isTerminal(promotion.status) ? null : presentStop(snapshot.environment),
    ending: promotion.ending,
    components: release.components.map(({ name, digest }) => ({ name, digest })),
    steps: presentSteps(snapshot),
    gates: presentGateRuns(snapshot),
    debts: snapshot.debts.filter((debt) => debt.promotionId === promotion.id).map(presentDebt),
    locks: locks.map((lock) => ({
      id: lock.id,
      resource: lock.resource,
      fence: formatFence(lock.fence),
      acquiredAt: toRfc3339(lock.acquiredAtMs),
    })),
    targets: targetStandings(snapshot).map(({ target, ...standing }) => ({ name: target, ...standing })),
    attempts: snapshot.attempts.map(presentAttempt),
    possible: possibleLines(snapshot),
  };
}

/** Changes when anything of the promotion does, and when it turns stalled. */
export function promotionEtag(snapshot: PromotionSnapshot, nowMs: number): string {
  return `"v${snapshot.promotion.version}${isStalledAt(snapshot, nowMs) ? '-stalled' : ''}"`;
}

/** All gate runs in the order of the definition, older rounds first. */
export function presentGateRuns(snapshot: PromotionSnapshot): Detail['gates'] {
  const order = snapshot.promotion.definition.gates.map((gate) => gate.name);
  return [...snapshot.gateRuns]
    .sort((a, b) => order.indexOf(a.gate) - order.indexOf(b.gate) || a.round - b.round)
    .map((run) => presentGateRun(run, snapshot));
}

function presentGateRun(
  run: GateRun,
  { promotion, attempts, approvals, skips }: PromotionSnapshot,
): Detail['gates'][number] {
  return {
    id: run.id,
    gate: run.gate,
    kind: run.kind,
    round: run.round,
    state: run.state,
    verdict: run.verdict,
    attemptCount: run.attemptCount,
    attemptLimit: run.attemptLimit,
    message: run.message,
    startedAt: presentInstant(run.startedAtMs),
    deadlineAt: presentInstant(run.deadlineAtMs),
    nextAttemptAt: presentInstant(run.nextAttemptAtMs),
    heldUntil: presentInstant(run.heldUntilMs),
    dueAt: presentInstant(run.dueAtMs),
    verdictAt: presentInstant(run.verdictAtMs),
    validUntil: presentInstant(run.validUntilMs),
    attempts: attempts.filter((attempt) => attempt.gateRunId === run.id).map(presentAttempt),
    approvals: approvals
      .filter((approval) => approval.gateRunId === run.id)
      .map(({ subject, decision, reason, atMs }) => ({ subject, decision, reason, decidedAt: toRfc3339(atMs) })),
    skips: skips.filter((skip) => skip.gateRunId === run.id).map((skip) => presentSkip(skip, promotion.id)),
  };
}

function presentAttempt({ result, ...attempt }: Attempt): Detail['attempts'][number] {
  return {
    operationId: attempt.operationId,
    purpose: attempt.purpose,
    subject: attempt.subject,
    number: attempt.number,
    fence: attempt.fence ? formatFence(attempt.fence) : null,
    startedAt: toRfc3339(attempt.startedAtMs),
    deadlineAt: toRfc3339(attempt.deadlineAtMs),
    acknowledgedAt: presentInstant(attempt.acknowledgedAtMs),
    workerId: attempt.workerId,
    outcome: result?.outcome ?? null,
    code: result?.code ?? '',
    message: result?.message ?? '',
    digest: result?.digest ?? null,
    endedAt: presentInstant(result?.endedAtMs ?? null),
  };
}

function presentSteps({ steps }: PromotionSnapshot): Detail['steps'] {
  return STEPS.flatMap((step) => {
    const run = steps.find((one) => one.step === step);
    if (!run && step === 'rollback') return [];
    return [
      {
        step,
        state: run?.state ?? 'not_started',
        startedAt: presentInstant(run?.startedAtMs ?? null),
        endedAt: presentInstant(run?.endedAtMs ?? null),
        message: run?.message ?? '',
      },
    ];
  });
}
