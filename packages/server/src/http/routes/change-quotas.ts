/** `POST /environments/{environment}/quotas` */
import { AppError, QUOTA_NAMES } from '@stella/domain';
import { changeQuotaLimits } from '../../engine/commands/change-quota.ts';
import type { RouteHandler } from '../route-handler.ts';

export const changeQuotas: RouteHandler<'changeQuotas'> = async (deps, context) => {
  const { caller, parameters, body, write } = context;
  const { environment } = parameters;
  const limits = QUOTA_NAMES.flatMap((name) => {
    const limit = body.limits[name];
    return limit === undefined ? [] : [{ name, limit }];
  });
  if (limits.length === 0) {
    const message = `limits: expected at least one of ${QUOTA_NAMES.join(', ')}`;
    throw new AppError('input.invalid', { details: { message } });
  }
  const answer = await write(async (tx) => {
    const { before, after } = await changeQuotaLimits(tx, caller, { environment, limits, reason: body.reason });
    return {
      environment,
      limits: limits.map(({ name, limit }) => ({ name, from: before[name], to: after[name], set: limit })),
    };
  });
  deps.wake();
  return { ...answer, dryRun: body.dryRun };
};
