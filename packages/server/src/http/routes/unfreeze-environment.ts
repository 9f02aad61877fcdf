/** `POST /environments/{environment}/unfreeze` */
import { changeFreeze } from '../../engine/commands/freeze-environment.ts';
import { presentFreeze } from '../present/present-freeze.ts';
import type { RouteHandler } from '../route-handler.ts';

export const unfreezeEnvironment: RouteHandler<'unfreezeEnvironment'> = async (deps, context) => {
  const { caller, parameters, body, seenVersion, write } = context;
  const { environment } = parameters;
  const answer = await write(async (tx) => {
    const order = { environment, wish: { kind: 'unfreeze' }, reason: body.reason, seenVersion } as const;
    const status = await changeFreeze(tx, caller, order);
    return { environment, version: status.freeze.version, freeze: presentFreeze(status, tx.nowMs) };
  });
  deps.wake();
  return { ...answer, dryRun: body.dryRun };
};
