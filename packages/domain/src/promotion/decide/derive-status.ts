/**
 * The status of a live promotion follows from what it waits for; the strongest wait wins (domain, "Precedence"): an
 * open machine wait, then a person, then its turn, then time.
 */
import { isAttemptKind } from '../../environment/environment-definition.ts';
import { orphanedOperations } from './takeover.ts';
import { type Draft, stepRun } from './draft.ts';
import { isPastDeploy } from './cancel.ts';
import { currentGateRuns, isHeld, isSettled } from './gate-runs.ts';
import { queueStatus } from './queue.ts';
import type { LiveStatus } from '../status.ts';

export function deriveStatus(draft: Draft): LiveStatus {
  if (draft.promotion.cancelRequestedAtMs !== null && isPastDeploy(draft)) return 'cancelling';
  if (orphanedOperations(draft).length > 0) return 'in_progress';
  if (draft.promotion.step === 'evaluate_gates') return gateStatus(draft);
  if (draft.promotion.step === 'acquire_locks') return queueStatus(draft);
  // A canary soaks; that its judge is asked meanwhile is part of that wait.
  if (draft.promotion.step === 'deploy' && stepRun(draft, 'deploy').state === 'waiting') return 'scheduled';
  return 'in_progress';
}

function gateStatus(draft: Draft): LiveStatus {
  const open = currentGateRuns(draft).filter((run) => !isSettled(run));
  if (open.some((run) => isAttemptKind(run.kind) || isHeld(run))) return 'in_progress';
  if (open.some((run) => run.kind === 'approval')) return 'pending_approval';
  if (open.some((run) => run.kind === 'dependency')) return 'queued';
  if (open.some((run) => run.kind === 'soak' || run.kind === 'window')) return 'scheduled';
  return 'in_progress';
}
