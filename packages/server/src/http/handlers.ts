/** The handler of every route; the type keeps the table whole. */
import type { RouteName } from '@stella/contract';
import type { RouteHandler } from './route-handler.ts';
import { applyDefinitions } from './routes/apply-definitions.ts';
import { approvePromotion } from './routes/approve-promotion.ts';
import { changePriority } from './routes/change-priority.ts';
import { cancelPromotion } from './routes/cancel-promotion.ts';
import { changeSetting } from './routes/change-setting.ts';
import { countPromotionActors } from './routes/count-promotion-actors.ts';
import { countPromotions } from './routes/count-promotions.ts';
import { createPerson } from './routes/create-person.ts';
import { createPromotion } from './routes/create-promotion.ts';
import { createRelease } from './routes/create-release.ts';
import { deployArtifact } from './routes/deploy-artifact.ts';
import { getArtifact } from './routes/get-artifact.ts';
import { diagnosePromotion } from './routes/diagnose-promotion.ts';
import { getApiDescription } from './routes/get-api-description.ts';
import { getEnvironmentStatus } from './routes/get-environment-status.ts';
import { getEnvironment } from './routes/get-environment.ts';
import { getGateStats } from './routes/get-gate-stats.ts';
import { getOrchestrator } from './routes/get-orchestrator.ts';
import { getPromotion } from './routes/get-promotion.ts';
import { getPromotionLog } from './routes/get-promotion-log.ts';
import { getRelease } from './routes/get-release.ts';
import { getSetting } from './routes/get-setting.ts';
import { getVersion } from './routes/get-version.ts';
import { listArtifacts } from './routes/list-artifacts.ts';
import { listChannels } from './routes/list-channels.ts';
import { listDeliveries } from './routes/list-deliveries.ts';
import { listDeployments } from './routes/list-deployments.ts';
import { listEnvironments } from './routes/list-environments.ts';
import { listGateRuns } from './routes/list-gate-runs.ts';
import { listGateServices } from './routes/list-gate-services.ts';
import { listLocks } from './routes/list-locks.ts';
import { listProbes } from './routes/list-probes.ts';
import { listPromotions } from './routes/list-promotions.ts';
import { listRegistries } from './routes/list-registries.ts';
import { listReleases } from './routes/list-releases.ts';
import { listSettingChanges } from './routes/list-setting-changes.ts';
import { listSettings } from './routes/list-settings.ts';
import { listTokens } from './routes/list-tokens.ts';
import { login } from './routes/login.ts';
import { mintToken } from './routes/mint-token.ts';
import { probeConnectivity } from './routes/probe-connectivity.ts';
import { recover } from './routes/recover.ts';
import { rejectPromotion } from './routes/reject-promotion.ts';
import { freezeEnvironment } from './routes/freeze-environment.ts';
import { changeQuotas } from './routes/change-quotas.ts';
import { listQuotas } from './routes/list-quotas.ts';
import { requestQuota } from './routes/request-quota.ts';
import { unfreezeEnvironment } from './routes/unfreeze-environment.ts';
import { raiseFence } from './routes/raise-fence.ts';
import { releaseLock } from './routes/release-lock.ts';
import { retryDelivery } from './routes/retry-delivery.ts';
import { retryPromotion } from './routes/retry-promotion.ts';
import { revokeToken } from './routes/revoke-token.ts';
import { runDoctor } from './routes/run-doctor.ts';
import { skipGate } from './routes/skip-gate.ts';
import { testChannel } from './routes/test-channel.ts';
import { startRollback } from './routes/start-rollback.ts';
import { tracePromotion } from './routes/trace-promotion.ts';
import { verifyCredentials } from './routes/verify-credentials.ts';
import { whoami } from './routes/whoami.ts';

/** Routes that answer one JSON value; streams have their own way. */
export type AnsweringRoute = Exclude<RouteName, 'streamEvents' | 'takeCallback'>;

export const HANDLERS: { readonly [Name in AnsweringRoute]: RouteHandler<Name> } = {
  applyDefinitions,
  approvePromotion,
  cancelPromotion,
  changePriority,
  changeSetting,
  countPromotions,
  countPromotionActors,
  createPerson,
  createPromotion,
  createRelease,
  diagnosePromotion,
  getApiDescription,
  getEnvironment,
  getGateStats,
  getOrchestrator,
  getPromotion,
  getPromotionLog,
  getRelease,
  getSetting,
  getVersion,
  listArtifacts,
  listChannels,
  listDeliveries,
  listEnvironments,
  listGateRuns,
  listGateServices,
  listLocks,
  listProbes,
  startRollback,
  deployArtifact,
  getArtifact,
  getEnvironmentStatus,
  listDeployments,
  listPromotions,
  listRegistries,
  listReleases,
  listSettingChanges,
  listSettings,
  listTokens,
  login,
  mintToken,
  probeConnectivity,
  recover,
  rejectPromotion,
  freezeEnvironment,
  unfreezeEnvironment,
  listQuotas,
  changeQuotas,
  requestQuota,
  raiseFence,
  releaseLock,
  retryDelivery,
  retryPromotion,
  revokeToken,
  runDoctor,
  skipGate,
  testChannel,
  tracePromotion,
  verifyCredentials,
  whoami,
};
