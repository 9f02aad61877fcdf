/**
 * What a single write must keep beside the rules of the testkit: only a soak that is over, an open window or a met
 * dependency passes (S7), a hold that is over ends (L3), and an operation of a lost claim is settled only after its target
 * was asked under the new fence (S4).
 */
import {
  type Attempt,
  compareFences,
  type ComponentStatus,
  gateNamed,
  type GateRun,
  isTerminal,
  lookAtWindow,
  type PromotionSnapshot,
  type ReleaseComponent,
} from '@stella/domain';
import { insist, type MemoryState, type WriteRecord } from '@stella/testkit';

export function checkVerdicts(state: MemoryState, { kind, before, decision, context: { nowMs } }: WriteRecord): void {
  const { promotion, gateRuns, settledAttempts } = decision;
  if (before && kind === 'commanded') checkCallback(before, settledAttempts, nowMs);
  if (!before || kind !== 'ticked') return;
  for (const run of gateRuns) {
    const isNew = run.verdict === 'passed' && before.gateRuns.find((one) => one.id === run.id)?.verdict !== 'passed';
    if (run.kind === 'soak' && isNew) checkSoak(state, before, run, nowMs);
    if (run.kind === 'window' && isNew) checkWindow(before, run, nowMs);
    if (run.kind === 'dependency' && isNew) checkDependency(before, run);
  }
  if (!isTerminal(promotion.status) && promotion.step === 'evaluate_gates') {
    const kept = before.gateRuns.filter((run) => gateRuns.every((one) => one.id !== run.id));
    for (const run of [...kept, ...gateRuns]) checkHold(run, nowMs);
  }
  for (const { operationId } of settledAttempts) checkSettled(before, operationId);
}

/** A service that calls back is heard once, and before its attempt's deadline only. */
function checkCallback(
  { attempts }: PromotionSnapshot,
  settled: WriteRecord['decision']['settledAttempts'],
  nowMs: number,
): void {
  for (const { operationId, result } of settled) {
    const attempt = attempts.find((one) => one.operationId === operationId);
    if (!attempt || (result.outcome !== 'passed' && result.outcome !== 'failed')) continue;
    insist('S7', attempt.result === null, () => `${operationId} had its outcome when its service called back`);
    insist('S7', nowMs < attempt.deadlineAtMs, () => `${operationId} was over when its service called back`);
  }
}

/** Each of its components runs there, verified, since then. */
function checkSoak(
  { releases }: MemoryState,
  { promotion, release, predecessors }: PromotionSnapshot,
  run: GateRun,
  nowMs: number,
): void {
  const gate = promotion.definition.gates.find((one) => one.name === run.gate);
  if (gate?.kind !== 'soak') return;
  // A deploy asks for its artifacts, in whatever release they came there.
  const isOfIt = ({ releaseId }: ComponentStatus, { name, digest }: ReleaseComponent): boolean => {
    if (promotion.kind !== 'deploy' || releaseId === null) return releaseId === promotion.releaseId;
    const components = releases.get(releaseId)?.components ?? [];
    return components.some((one) => one.name === name && one.digest === digest);
  };
  for (const name of gate.environments) {
    const rows = predecessors.find((one) => one.name === name)?.components ?? [];
    for (const component of release.components) {
      const row = rows.find((one) => one.component === component.name && isOfIt(one, component));
      const soakedMs = row?.state === 'whole' ? nowMs - (row.releasedAtMs ?? nowMs) : 0;
      insist(
        'S7',
        soakedMs >= gate.durationMs,
        () => `${component.name} of ${promotion.id} soaked in ${name} for ${soakedMs} ms only`,
      );
    }
  }
}

function checkWindow({ promotion, environment }: PromotionSnapshot, run: GateRun, nowMs: number): void {
  const gate = gateNamed(promotion.definition, run.gate);
  if (gate?.kind !== 'window') return;
  const { isOpen, message } = lookAtWindow(gate, environment, nowMs);
  insist('S7', isOpen, () => `${promotion.id} passed the window ${run.gate}: ${message}`);
}

function checkDependency({ promotion, release, dependencies }: PromotionSnapshot, run: GateRun): void {
  const gate = promotion.definition.gates.find((one) => one.name === run.gate);
  if (gate?.kind !== 'dependency') return;
  for (const { environment, state } of gate.requires) {
    const place = dependencies.places.find((one) => one.environment === environment);
    const own = (place?.components ?? []).filter((one) => release.components.some(({ name }) => name === one.name));
    const isNew = own.length === release.components.length && own.every((one) => one.releaseNumber >= release.number);
    const isMet = state === 'idle' ? place?.busyCount === 0 : isNew;
    insist('S7', isMet, () => `${promotion.id} passed ${run.gate} though ${environment} is not as it shall be`);
  }
}

function checkHold({ gate, state, heldUntilMs }: GateRun, nowMs: number): void {
  const isHeld = state === 'timeout' || state === 'error';
  if (isHeld && heldUntilMs !== null) insist('L3', nowMs < heldUntilMs, () => `the hold of gate ${gate} does not end`);
}

function checkSettled({ attempts, locks }: PromotionSnapshot, operationId: string): void {
  const operation = attempts.find((one) => one.operationId === operationId);
  const fence = locks[0]?.fence;
  if (!operation || !fence) return;
  const isSeal = (one: Attempt): boolean =>
    one.purpose === 'seal' && one.subject === operation.subject && one.fence !== null && one.result !== null;
  const isAsked = attempts.some((one) => isSeal(one) && one.fence && compareFences(one.fence, fence) === 0);
  insist('S4', isAsked, () => `${operationId} was settled before its target was sealed`);
}
