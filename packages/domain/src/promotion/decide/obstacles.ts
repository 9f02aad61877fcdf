/**
 * The right to deploy, as one predicate (safety S8, S9, S11). It is asked before the locks are taken and again in the
 * transaction that writes the deploy intent, while the environment's row is held.
 */
import { isPlanted } from '../../planted-bugs.ts';
import { type Draft, endPromotion, moveToStep, releaseLocks, updatePromotion } from './draft.ts';
import { countApprovals } from './approvals.ts';
import { BASE_CHANGED, baseChangeWords, isBaseChanged, noteBase } from './rebase.ts';
import { currentGateRuns, GATE_ROUNDS_MAX, openGateRun, openNextRound } from './gate-runs.ts';
import { skipInEffect } from './skips.ts';
import { lacksFreezeGate, WINDOW_CLOSED, windowOf } from './windows.ts';
import { FREEZE_GATE, hasWindow } from '../../environment/freeze.ts';
import { partsFor } from '../../environment/target-components.ts';
import { asksPredecessors, gatesOf } from '../gates-of.ts';
import type { GateRun } from '../promotion.ts';

export type Obstacle =
  | { readonly kind: 'gate_open'; readonly gate: string }
  | { readonly kind: 'gate_expired'; readonly run: GateRun }
  | { readonly kind: 'skip_lapsed'; readonly run: GateRun }
  | { readonly kind: 'approval_insufficient'; readonly run: GateRun }
  | { readonly kind: 'base_changed'; readonly run: GateRun }
  | { readonly kind: 'window_closed'; readonly run: GateRun }
  | { readonly kind: 'frozen' }
  /** The environment went back to `concurrency: exclusive` meanwhile, where a release carries everything. */
  | { readonly kind: 'component_missing'; readonly targets: readonly string[] }
  | { readonly kind: 'predecessor_missing'; readonly environment: string };

/** Empty: the deploy may be written. */
export function obstaclesOf(draft: Draft): Obstacle[] {
  const { promotion, context, snapshot } = draft;
  const runs = currentGateRuns(draft);
  const obstacles: Obstacle[] = lacksFreezeGate(draft) ? [{ kind: 'frozen' }] : [];
  const lacking = lackingTargets(draft);
  if (lacking.length > 0) obstacles.push({ kind: 'component_missing', targets: lacking });
  const added = runs.some((run) => run.gate === FREEZE_GATE.name) && !hasWindow(promotion.definition);
  for (const gate of [...gatesOf(promotion), ...(added ? [FREEZE_GATE] : [])]) {
    const run = runs.find((candidate) => candidate.gate === gate.name);
    if (run?.state === 'skipped') {
      if (isBaseChanged(draft)) obstacles.push({ kind: 'base_changed', run });
      else if (!skipInEffect(draft, run)) obstacles.push({ kind: 'skip_lapsed', run });
    } else if (run?.verdict !== 'passed') {
      obstacles.push({ kind: 'gate_open', gate: gate.name });
    } else if (windowOf(draft, run)?.isOpen === false && !isPlanted('window.closed_counts')) {
      obstacles.push({ kind: WINDOW_CLOSED, run });
    } else if (run.validUntilMs !== null && context.nowMs >= run.validUntilMs && !isPlanted('gate.expired_counts')) {
      obstacles.push({ kind: 'gate_expired', run });
    } else if (gate.kind === 'approval') {
      if (isBaseChanged(draft)) obstacles.push({ kind: 'base_changed', run });
      else if (countApprovals({ promotion, approvals: snapshot.approvals }, gate, run.id) < gate.count)
        obstacles.push({ kind: 'approval_insufficient', run });
    }
  }
  for (const name of asksPredecessors(promotion) ? promotion.definition.promotesFrom : []) {
    const place = snapshot.predecessors.find((one) => one.name === name);
    const isMissing = !place || place.completedAtMs === null;
    if (isMissing && !isPlanted('release.not_in_predecessor'))
      obstacles.push({ kind: 'predecessor_missing', environment: name });
  }
  return obstacles;
}

/**
 * Sends the promotion back to its gates when one of them no longer counts: true when it did (or when it had to end).
 * The ticket and the locks go back, so that it delays nobody meanwhile.
 */
export function reopenGates(draft: Draft): boolean {
  const obstacles = obstaclesOf(draft);
  if (obstacles.length === 0) {
    noteBase(draft);
    return false;
  }
  const missing = obstacles.find((one) => one.kind === 'predecessor_missing');
  if (missing) {
    const message = `the release has not completed in ${missing.environment}`;
    endPromotion(draft, 'failed', { code: 'promotion.not_in_predecessor', message });
    return true;
  }
  const lacking = obstacles.find((one) => one.kind === 'component_missing');
  if (lacking) {
    const message = `${draft.environment.name} wants all components at once now, and the release has none for ${lacking.targets.join(', ')}`;
    endPromotion(draft, 'failed', { code: 'promotion.components_missing', message });
    return true;
  }
  const expired = obstacles.find(
    (one) => one.kind === 'gate_expired' && countedRounds(draft, one.run.gate) >= GATE_ROUNDS_MAX,
  );
  if (expired?.kind === 'gate_expired') {
    const message = `gate ${expired.run.gate} expired in ${GATE_ROUNDS_MAX} rounds`;
    endPromotion(draft, 'failed', { code: 'gate.rounds', message });
    return true;
  }
  const words = baseChangeWords(draft);
  noteBase(draft);
  for (const obstacle of obstacles) {
    if (obstacle.kind === 'frozen') openGateRun(draft, FREEZE_GATE);
    if ('run' in obstacle) openNextRound(draft, obstacle.run, obstacle.kind === BASE_CHANGED ? words : obstacle.kind);
  }
  // Whoever comes after it in the queue is woken even when it held no lock yet: its turn may be now (safety L4).
  if (draft.promotion.ticket !== null) releaseLocks(draft, 'gates opened again');
  updatePromotion(draft, { ticket: null, preflightRevision: null, quotaWait: null, deployDeadlineAtMs: null });
  moveToStep(draft, 'evaluate_gates', {
    state: 'waiting',
    message: `gates opened again: ${obstacles.map((one) => (one.kind === BASE_CHANGED ? words : one.kind)).join(', ')}`,
  });
  return true;
}

function lackingTargets({ promotion, environment, snapshot: { release } }: Draft): string[] {
  if (environment.concurrency === 'per_component') return [];
  const { targets } = promotion.definition;
  return targets.filter((target) => partsFor(target, release) === null).map((target) => target.name);
}

/** Rounds whose verdict ran out; those opened by a changed base, a lapsed skip or a closed window are not counted. */
function countedRounds(draft: Draft, gate: string): number {
  const expired = draft.gateRuns.filter(
    (run) => run.gate === gate && run.state === 'expired' && run.message === 'gate_expired',
  );
  return expired.length + 1;
}
