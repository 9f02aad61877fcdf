/** `POST /auth/login`: a one-time code for a token. */
import { toRfc3339 } from '@stella/domain';
import { hashSecret, makeSecret } from '../../auth/secrets.ts';
import { logIn } from '../../engine/commands/identity.ts';
import type { RouteHandler } from '../route-handler.ts';

export const login: RouteHandler<'login'> = async (deps, { body, address, write }) => {
  deps.attemptLimit.check(address);
  const { secret, hash } = makeSecret(deps.random, 'token');
  try {
    return await write(async (tx) => {
      const { id, subject, expiresAtMs } = await logIn(tx, deps, {
        codeHash: hashSecret(body.code),
        tokenHash: hash,
      });
      return { id, name: 'login', owner: subject, token: secret, expiresAt: toRfc3339(expiresAtMs) };
    }, 'token');
  } catch (error) {
    deps.attemptLimit.noteFailure(address);
    throw error;
  }
};
