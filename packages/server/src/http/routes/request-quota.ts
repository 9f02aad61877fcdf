/** `POST /environments/{environment}/quota-requests` */
import { requestQuotaIncrease } from '../../engine/commands/change-quota.ts';
import { presentRequest } from '../present/present-quota.ts';
import type { RouteHandler } from '../route-handler.ts';

export const requestQuota: RouteHandler<'requestQuota'> = async (_deps, { caller, parameters, body, write }) => {
  const { environment } = parameters;
  const { name, wanted, reason } = body;
  const answer = await write(async (tx) => {
    const request = await requestQuotaIncrease(tx, caller, { environment, name, wanted, reason });
    return { environment, name, request: presentRequest(request) };
  });
  return { ...answer, dryRun: body.dryRun };
};
