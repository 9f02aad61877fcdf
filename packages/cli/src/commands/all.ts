/** Every command; the order is that of the help. */
import type { CommandSpec } from '../command.ts';
import { apply } from './apply.ts';
import { authLogin } from './auth/login.ts';
import { authPersonCreate } from './auth/person-create.ts';
import { authRecover } from './auth/recover.ts';
import { authTokenList } from './auth/token-list.ts';
import { authTokenMint } from './auth/token-mint.ts';
import { authTokenRevoke } from './auth/token-revoke.ts';
import { authWhoami } from './auth/whoami.ts';
import { drillKeep } from './drill/keep.ts';
import { drillList } from './drill/list.ts';
import { drillRepair } from './drill/repair.ts';
import { drillRun } from './drill/run.ts';
import { drillStart } from './drill/start.ts';
import { drillStatus } from './drill/status.ts';
import { drillStop } from './drill/stop.ts';
import { environmentList } from './environment/list.ts';
import { completion } from './completion.ts';
import { deploy } from './deploy.ts';
import { doctor } from './doctor.ts';
import { environmentFreeze } from './environment/freeze.ts';
import { environmentShow } from './environment/show.ts';
import { environmentUnfreeze } from './environment/unfreeze.ts';
import { helpExitCodes } from './help/exit-codes.ts';
import { notifyDeliveries } from './notify/deliveries.ts';
import { notifyList } from './notify/list.ts';
import { notifyRetry } from './notify/retry.ts';
import { notifyTest } from './notify/test.ts';
import { orchArtifactsGet } from './orch/artifacts-get.ts';
import { orchArtifactsList } from './orch/artifacts-list.ts';
import { orchDeploymentsList } from './orch/deployments-list.ts';
import { orchConfigGet } from './orch/config-get.ts';
import { orchConfigHistory } from './orch/config-history.ts';
import { orchConfigList } from './orch/config-list.ts';
import { orchConfigSet } from './orch/config-set.ts';
import { orchConfigUnset } from './orch/config-unset.ts';
import { orchEnvStatus } from './orch/env-status.ts';
import { orchGateServicesStatus } from './orch/gate-services-status.ts';
import { orchGateStats } from './orch/gate-stats.ts';
import { orchLocksList } from './orch/locks-list.ts';
import { orchConnectivity } from './orch/connectivity.ts';
import { orchCredentialsVerify } from './orch/credentials-verify.ts';
import { orchFenceRaise } from './orch/fence-raise.ts';
import { orchLocksRelease } from './orch/locks-release.ts';
import { orchLogs } from './orch/logs.ts';
import { orchQuotaLimitsSet } from './orch/quota-limits-set.ts';
import { orchQuotaLimitsShow } from './orch/quota-limits-show.ts';
import { orchQuotaRequestIncrease } from './orch/quota-request-increase.ts';
import { orchQuotaResetTime } from './orch/quota-reset-time.ts';
import { orchQuotaStatus } from './orch/quota-status.ts';
import { orchReload } from './orch/reload.ts';
import { orchServe } from './orch/serve.ts';
import { orchStatus } from './orch/status.ts';
import { promotionApprove } from './promotion/approve.ts';
import { promotionCancel } from './promotion/cancel.ts';
import { promotionCreate } from './promotion/create.ts';
import { promotionDiagnose } from './promotion/diagnose.ts';
import { promotionGateSkip } from './promotion/gate-skip.ts';
import { promotionGates } from './promotion/gates.ts';
import { promotionList } from './promotion/list.ts';
import { promotionPrioritySet } from './promotion/priority-set.ts';
import { promotionReject } from './promotion/reject.ts';
import { promotionRetry } from './promotion/retry.ts';
import { promotionStatus } from './promotion/status.ts';
import { promotionTrace } from './promotion/trace.ts';
import { registryList } from './registry/list.ts';
import { releaseCreate } from './release/create.ts';
import { releaseList } from './release/list.ts';
import { releaseShow } from './release/show.ts';

import { rollbackStart } from './rollback/start.ts';
import { rollbackStatus } from './rollback/status.ts';
import { rollbackTrace } from './rollback/trace.ts';
import { serviceInstall } from './service/install.ts';
import { serviceLogs } from './service/logs.ts';
import { serviceRestart } from './service/restart.ts';
import { serviceRun } from './service/run.ts';
import { serviceStart } from './service/start.ts';
import { serviceStatus } from './service/status.ts';
import { serviceStop } from './service/stop.ts';

export const COMMANDS: readonly CommandSpec[] = [
  promotionCreate,
  promotionStatus,
  promotionDiagnose,
  promotionTrace,
  promotionGates,
  promotionList,
  promotionApprove,
  promotionReject,
  promotionGateSkip,
  promotionCancel,
  promotionRetry,
  promotionPrioritySet,
  deploy,
  rollbackStart,
  rollbackStatus,
  rollbackTrace,
  releaseCreate,
  releaseList,
  releaseShow,
  environmentList,
  environmentShow,
  environmentFreeze,
  environmentUnfreeze,
  apply,
  doctor,
  orchServe,
  orchStatus,
  orchConnectivity,
  orchCredentialsVerify,
  orchGateServicesStatus,
  orchGateStats,
  orchLogs,
  orchReload,
  orchLocksList,
  orchLocksRelease,
  orchFenceRaise,
  orchQuotaStatus,
  orchQuotaLimitsShow,
  orchQuotaLimitsSet,
  orchQuotaResetTime,
  orchQuotaRequestIncrease,
  orchEnvStatus,
  orchDeploymentsList,
  orchArtifactsList,
  orchArtifactsGet,
  orchConfigList,
  orchConfigGet,
  orchConfigSet,
  orchConfigUnset,
  orchConfigHistory,
  registryList,
  notifyList,
  notifyTest,
  notifyDeliveries,
  notifyRetry,
  drillList,
  drillStart,
  drillStatus,
  drillRepair,
  drillStop,
  drillRun,
  drillKeep,
  serviceInstall,
  serviceStart,
  serviceStop,
  serviceRestart,
  serviceStatus,
  serviceLogs,
  serviceRun,
  authLogin,
  authWhoami,
  authPersonCreate,
  authTokenMint,
  authTokenList,
  authTokenRevoke,
  authRecover,
  completion,
  helpExitCodes,
];
