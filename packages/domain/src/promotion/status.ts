/** The words for where a promotion stands, and which may follow which (safety S5). */

export const LIVE_STATUSES = ['queued', 'in_progress', 'pending_approval', 'scheduled', 'cancelling'] as const;
export const TERMINAL_STATUSES = ['completed', 'failed', 'rejected', 'cancelled', 'superseded', 'rolled_back'] as const;
export const PROMOTION_STATUSES = [...LIVE_STATUSES, ...TERMINAL_STATUSES] as const;

export type LiveStatus = (typeof LIVE_STATUSES)[number];
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];
export type PromotionStatus = (typeof PROMOTION_STATUSES)[number];

export function isTerminal(status: PromotionStatus): status is TerminalStatus {
  return (TERMINAL_STATUSES as readonly string[]).includes(status);
}

const BEFORE_DEPLOY: readonly PromotionStatus[] = ['failed', 'rejected', 'cancelled', 'superseded'];

/** Which status may follow which. A terminal one never changes. `in_progress` alone leads to `completed`. */
export const STATUS_TRANSITIONS: Readonly<Record<PromotionStatus, readonly PromotionStatus[]>> = {
  queued: ['in_progress', 'pending_approval', 'scheduled', 'cancelling', ...BEFORE_DEPLOY],
  in_progress: ['queued', 'pending_approval', 'scheduled', 'cancelling', 'completed', 'rolled_back', ...BEFORE_DEPLOY],
  pending_approval: ['queued', 'in_progress', 'scheduled', ...BEFORE_DEPLOY],
  scheduled: ['queued', 'in_progress', 'pending_approval', 'cancelling', ...BEFORE_DEPLOY],
  cancelling: ['rolled_back', 'cancelled', 'failed'],
  completed: [],
  failed: [],
  rejected: [],
  cancelled: [],
  superseded: [],
  rolled_back: [],
};

/**
 * `promote`: on its way through the pipeline. `rollback`: back to a release that completed there before. `deploy`: one
 * artifact, put there by itself.
 */
export const PROMOTION_KINDS = ['promote', 'rollback', 'deploy'] as const;
export type PromotionKind = (typeof PROMOTION_KINDS)[number];

export const STEPS = [
  'precheck',
  'evaluate_gates',
  'acquire_locks',
  'preflight',
  'deploy',
  'verify',
  'rollback',
] as const;
export type Step = (typeof STEPS)[number];

/** `failed`: the answer is no. `errored`: we could not tell. The split decides retry, alert and wording. */
export const STEP_STATES = ['not_started', 'running', 'waiting', 'succeeded', 'failed', 'errored', 'skipped'] as const;
export type StepState = (typeof STEP_STATES)[number];

export const GATE_RUN_STATES = [
  'pending',
  'evaluating',
  'waiting',
  'passed',
  'failed',
  'timeout',
  'error',
  'skipped',
  'expired',
] as const;
export type GateRunState = (typeof GATE_RUN_STATES)[number];

export const PRIORITIES = ['low', 'normal', 'high'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** `high` before `normal` before `low`: the smaller number goes first. */
export function priorityRank(priority: Priority): number {
  return PRIORITIES.length - 1 - PRIORITIES.indexOf(priority);
}
