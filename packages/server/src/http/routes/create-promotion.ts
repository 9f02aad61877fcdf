/** `POST /promotions` */
import { createPromotion as create } from '../../engine/commands/create-promotion.ts';
import { presentPromotion } from '../present/present-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const createPromotion: RouteHandler<'createPromotion'> = async (deps, { caller, body, write }) => {
  const release = await deps.reads.findRelease(body.release);
  // Names the nearest when there is none; the transaction reads it again.
  await deps.reads.readEnvironment(body.environment);
  const { environment, priority } = body;
  const answer = await write(async (tx) => {
    const id = await create(tx, deps, caller, { release, environment, priority, retryOf: null });
    return presentPromotion(await tx.readPromotion(id), tx.nowMs);
  });
  deps.wake();
  return answer;
};
