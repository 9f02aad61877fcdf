/** `GET /auth/whoami` */
import { toRfc3339 } from '@stella/domain';
import { formatBinding } from '../../engine/commands/identity.ts';
import { presentActor } from '../present/values.ts';
import type { RouteHandler } from '../route-handler.ts';

export const whoami: RouteHandler<'whoami'> = (_deps, { caller }) =>
  Promise.resolve({
    actor: presentActor(caller.actor),
    person: caller.personId,
    roles: caller.bindings.map(formatBinding),
    tokenId: caller.tokenId,
    expiresAt: toRfc3339(caller.expiresAtMs),
  });
