/** `POST /auth/recover`: whoever can read the server's recovery file gets an admin token for a day. */
import { timingSafeEqual } from 'node:crypto';
import { AppError, isAppError, toRfc3339 } from '@stella/domain';
import { hashSecret, makeSecret } from '../../auth/secrets.ts';
import { ADMIN_SUBJECT, mintAdminToken, RECOVERED_TOKEN_LIFETIME_MS } from '../../engine/commands/identity.ts';
import type { HttpDeps, RouteHandler } from '../route-handler.ts';

export const recover: RouteHandler<'recover'> = async (deps, { body, address, write }) => {
  deps.attemptLimit.check(address);
  const key = await deps.readRecoveryKey();
  const isRight = key !== null && timingSafeEqual(Buffer.from(hashSecret(key)), Buffer.from(hashSecret(body.key)));
  if (!isRight) {
    deps.attemptLimit.noteFailure(address);
    throw new AppError('auth.invalid');
  }
  const personId = await findAdmin(deps);
  const { secret, hash } = makeSecret(deps.random, 'token');
  return write(async (tx) => {
    const order = { personId, tokenHash: hash, lifetimeMs: RECOVERED_TOKEN_LIFETIME_MS };
    const { id, expiresAtMs } = await mintAdminToken(tx, deps, order);
    return { id, name: 'recovered', owner: ADMIN_SUBJECT, token: secret, expiresAt: toRfc3339(expiresAtMs) };
  }, 'token');
};

async function findAdmin({
  reads,
}: HttpDeps): Promise<Awaited<ReturnType<HttpDeps['reads']['findPerson']>>['id'] | null> {
  try {
    return (await reads.findPerson(ADMIN_SUBJECT)).id;
  } catch (error) {
    if (isAppError(error, 'person.not_found')) return null;
    throw error;
  }
}
