/** `POST /tokens/{token}/revoke` */
import { toRfc3339 } from '@stella/domain';
import { revokeToken as revoke } from '../../engine/commands/identity.ts';
import type { RouteHandler } from '../route-handler.ts';

export const revokeToken: RouteHandler<'revokeToken'> = async ({ reads }, { caller, parameters, write }) => {
  const { id, personId } = await reads.findTokenId(parameters.token);
  return write(async (tx) => {
    const { revokedAtMs } = await revoke(tx, caller, { id, isOwn: personId === caller.personId });
    return { id, revokedAt: toRfc3339(revokedAtMs) };
  });
};
