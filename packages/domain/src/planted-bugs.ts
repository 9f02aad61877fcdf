/**
 * Bugs on purpose, one at a time, so that it is known that the simulation finds what it is there to find: a harness that
 * catches nothing is broken. Only tests plant them; the production build takes `no-planted-bugs.ts` instead, after which
 * neither the switches nor their names are in the bundle (`tools/bundle.test.ts`).
 */
export const PLANTED_BUGS = [
  'approval.after_lost_right',
  'approval.of_older_base',
  'approval.own_request',
  'batch.not_verified',
  'burial.by_lease_only',
  'callback.forged_counts',
  'callback.late_counts',
  'callback.taken_twice',
  'canary.judge_ignored',
  'chain.unlinked',
  'claim.answer_lost',
  'claim.no_epoch_check',
  'claim.of_live_worker',
  'component.disjoint_waits',
  'component.others_forgotten',
  'deadline.by_worker_clock',
  'deadline.too_late',
  'dependency.not_waited',
  'deploy.digest_of_base',
  'deploy.gates_left_out',
  'deploy.predecessors_ignored',
  'effect.before_intent',
  'effect.lost_answer_is_success',
  'event.elsewhere',
  'event.missing_for_status',
  'event.missing_for_step',
  'fence.behind_ignored',
  'fence.not_drawn',
  'fence.of_the_lock',
  'force.claim_kept',
  'gate.error_passes',
  'gate.expired_counts',
  'gate.held_for_ever',
  'gate.other_question_counts',
  'gate.verdict_overwritten',
  'idempotency.ignored',
  'lock.artifact_ignored',
  'lock.component_missing',
  'lock.environment_not_exclusive',
  'lock.kept_at_end',
  'lock.taken_while_held',
  'outcome.dropped',
  'outcome.overwritten',
  'preflight.change_ignored',
  'queue.latest_ignored',
  'queue.newest_first',
  'quota.ended_forgotten',
  'quota.ignored',
  'quota.one_too_many',
  'release.not_in_predecessor',
  'release.older_over_newer',
  'rollback.digest_of_release',
  'rollback.gates_left_out',
  'rollback.goes_forth',
  'rollback.not_verified',
  'rollback.over_any_base',
  'rollback.to_what_never_ran',
  'skip.for_ever',
  'skip.of_one_person',
  'skip.only_requested',
  'soak.not_waited',
  'takeover.not_sealed',
  'takeover.unseen',
  'target.applies_twice',
  'target.no_fence_check',
  'target.seal_not_kept',
  'terminal.cancelled_again',
  'verify.not_looked',
  'wake.lost_on_release',
  'wake.not_written',
  'window.closed_counts',
  'window.not_waited',
] as const;
export type PlantedBug = (typeof PLANTED_BUGS)[number];

let planted: PlantedBug | null = null;

/** False in production, always. */
export function isPlanted(bug: PlantedBug): boolean {
  return planted === bug;
}

/** Takes the place of the one before; null: none. */
export function plantBug(bug: PlantedBug | null): void {
  planted = bug;
}
