/** `POST /tokens`: the token is shown once. */
import { parseDuration, parseRoleBinding, toRfc3339 } from '@stella/domain';
import { makeSecret } from '../../auth/secrets.ts';
import { mintToken as mint } from '../../engine/commands/identity.ts';
import type { RouteHandler } from '../route-handler.ts';

export const mintToken: RouteHandler<'mintToken'> = (deps, { caller, body, write }) => {
  const bindings = body.roles.map(parseRoleBinding);
  const lifetimeMs = parseDuration(body.expiresIn);
  const { secret, hash } = makeSecret(deps.random, 'token');
  return write(async (tx) => {
    const order = { name: body.name, tokenHash: hash, lifetimeMs, automation: body.automation, bindings };
    const { id, owner, expiresAtMs } = await mint(tx, deps, caller, order);
    return { id, name: body.name, owner, token: secret, expiresAt: toRfc3339(expiresAtMs) };
  }, 'token');
};
