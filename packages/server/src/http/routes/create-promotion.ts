/** `POST /promotions` */
import { isAppError } from '@stella/domain';
import { createPromotion as create } from '../../engine/commands/create-promotion.ts';
import { presentPromotion } from '../present/present-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const createPromotion: RouteHandler<'createPromotion'> = async (deps, { caller, body, write }) => {
  const release = await deps.reads.findRelease(body.release);
  const { environment, priority, reason } = body;
  const making = write(async (tx) => {
    const id = await create(tx, deps, caller, { release, environment, priority, reason, retryOf: null });
    return presentPromotion(await tx.readPromotion(id), tx.nowMs);
  });
  const answer = await making.catch(async (error: unknown) => {
    // This one says which name is nearest.
    if (isAppError(error) && error.code === 'environment.not_found') await deps.reads.readEnvironment(environment);
    throw error;
  });
  deps.wake();
  return answer;
};
