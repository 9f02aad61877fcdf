export * from './errors/app-error.ts';
export { ERROR_KINDS, type ErrorKind } from './errors/codes/error-entry.ts';
export * from './errors/error-codes.ts';
export * from './values/canonical-json.ts';
export * from './values/digest.ts';
export * from './values/duration.ts';
export * from './values/ids.ts';
export * from './values/instant.ts';
export * from './values/nearest.ts';
export * from './values/secret-reference.ts';
export * from './values/storable-text.ts';
export * from './values/strict-json.ts';
export * from './environment/command-argv.ts';
export * from './environment/deploy-strategy.ts';
export * from './environment/docker-options.ts';
export * from './environment/empty-environment.ts';
export * from './environment/environment-definition.ts';
export * from './environment/environment-stop.ts';
export * from './environment/freeze.ts';
export * from './environment/health-check.ts';
export * from './environment/compose-options.ts';
export * from './environment/target-components.ts';
export * from './environment/observation.ts';
export * from './environment/soundness.ts';
export * from './environment/target-definition.ts';
export * from './environment/quota.ts';
export * from './environment/quota-request.ts';
export * from './environment/window.ts';
export { isKnownZone, isLocalTime } from './environment/zoned-time.ts';
export * from './environment/promotes-from-cycle.ts';
export * from './environment/raise-fence.ts';
export {
  directoryOf,
  doOverlap,
  doShareSpace,
  FENCE_KEEPERS,
  fenceKeeperOf,
  findMovedTarget,
  hostNameOf,
  hostOf,
} from './environment/target-places.ts';
export * from './locks/fence.ts';
export * from './locks/wait-cycles.ts';
export * from './release/artifact-reference.ts';
export * from './release/component-differences.ts';
export * from './release/registry-definition.ts';
export * from './release/release.ts';
export * from './audit/event.ts';
export * from './diagnosis/causes.ts';
export * from './diagnosis/diagnose.ts';
export * from './diagnosis/diagnosis.ts';
export * from './diagnosis/diagnosis-snapshot.ts';
export * from './diagnosis/environment-budget.ts';
export * from './diagnosis/probe-report.ts';
export {
  type AttemptTiming,
  describeWorstCase,
  isStalledAt,
  PROMOTION_SLO_MS,
  retriesThatFit,
  stallsAtMs,
  timeoutWithin,
  worstCaseMs,
} from './diagnosis/time-budget.ts';
export * from './identity/actor.ts';
export * from './identity/authorize.ts';
export * from './notification/channel.ts';
export * from './notification/delivery.ts';
export * from './notification/mail-text.ts';
export * from './notification/notice.ts';
export * from './promotion/canary-standing.ts';
export * from './promotion/commands/approve-debt.ts';
export * from './promotion/commands/cancel-promotion.ts';
export * from './promotion/commands/command.ts';
export * from './promotion/commands/decide-approval.ts';
export * from './promotion/commands/release-lock.ts';
export * from './promotion/commands/change-priority.ts';
export * from './promotion/commands/retry-promotion.ts';
export * from './promotion/commands/skip-gate.ts';
export * from './promotion/commands/take-callback.ts';
export * from './promotion/decide/decide.ts';
export * from './promotion/decide/decision.ts';
export { doesReplace } from './promotion/decide/replaced.ts';
export * from './promotion/gate-debt.ts';
export * from './promotion/plan-promotion.ts';
export * from './promotion/promotion.ts';
export * from './promotion/former-release.ts';
export * from './release/deploy-release.ts';
export * from './promotion/gates-of.ts';
export * from './promotion/scope.ts';
export * from './promotion/skip.ts';
export * from './promotion/snapshot.ts';
export * from './promotion/status.ts';
export * from './promotion/target-standings.ts';
export * from './safety/store-state.ts';
export * from './safety/store-view.ts';
export * from './safety/violation.ts';
export * from './safety/violations-of.ts';
export * from './settings/gate-settings.ts';
export * from './settings/quota-settings.ts';
export * from './settings/setting-overrides.ts';
export * from './settings/settings.ts';
export * from './planted-bugs.ts';
