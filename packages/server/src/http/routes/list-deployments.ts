/** `GET /environments/{environment}/deployments` */
import { authorize, LIVE_STATUSES, type PromotionStatus, TERMINAL_STATUSES, toRfc3339 } from '@stella/domain';
import type { DeploymentRow } from '../../ports/read-store.ts';
import { presentActor, presentInstant } from '../present/values.ts';
import type { RouteHandler } from '../route-handler.ts';

const STATUSES_BY_STATE: Readonly<Record<'success' | 'failed' | 'running', readonly PromotionStatus[]>> = {
  success: ['completed'],
  failed: TERMINAL_STATUSES.filter((one) => one !== 'completed'),
  running: LIVE_STATUSES,
};

export const listDeployments: RouteHandler<'listDeployments'> = async (
  { reads, clock },
  { caller, parameters: { environment }, query: { status, limit } },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  // Names the nearest when there is none.
  await reads.readEnvironment(environment);
  const statuses = status === undefined ? null : STATUSES_BY_STATE[status];
  const rows = await reads.listDeployments(environment, { statuses, limit });
  return { environment, now: toRfc3339(clock.nowMs()), items: rows.map(presentDeployment) };
};

function presentDeployment(row: DeploymentRow): object {
  return {
    promotionId: row.id,
    kind: row.kind,
    isForced: row.isForced,
    release: { id: row.releaseId, name: row.releaseName },
    over: row.baseName,
    state: stateOf(row.status),
    status: row.status,
    requestedBy: presentActor(row.requestedBy),
    startedAt: toRfc3339(row.startedAtMs),
    endedAt: presentInstant(row.endedAtMs),
    ending: row.ending,
  };
}

function stateOf(status: PromotionStatus): keyof typeof STATUSES_BY_STATE {
  if (STATUSES_BY_STATE.running.includes(status)) return 'running';
  return status === 'completed' ? 'success' : 'failed';
}
