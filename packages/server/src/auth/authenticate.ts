/** Bearer token → who is calling, with the rights held now. */
import { AppError, type PersonId, type Principal, type TokenId, toRfc3339 } from '@stella/domain';
import type { ReadStore, TokenOwner } from '../ports/read-store.ts';
import { hashSecret } from './secrets.ts';

/** A header that is longer is no token of ours. */
const HEADER_LENGTH_MAX = 500;

export interface Caller extends Principal {
  readonly tokenId: TokenId;
  /** The person it counts as. */
  readonly personId: PersonId;
  readonly expiresAtMs: number;
}

/** Errors: `auth.missing`, `auth.invalid`, `auth.expired`, `auth.revoked`. */
export async function authenticate(
  { findToken }: Pick<ReadStore, 'findToken'>,
  authorization: string | undefined,
  nowMs: number,
): Promise<Caller> {
  if (authorization === undefined || authorization === '') throw new AppError('auth.missing');
  const match = authorization.length > HEADER_LENGTH_MAX ? null : /^Bearer ([\w-]+)$/i.exec(authorization);
  if (!match?.[1]) throw new AppError('auth.invalid');
  const owner = await findToken(hashSecret(match[1]));
  if (!owner) throw new AppError('auth.invalid');
  refuseEnded(owner, nowMs);
  const { actor, bindings, tokenId, personId, expiresAtMs } = owner;
  return { actor, bindings, tokenId, personId, expiresAtMs };
}

function refuseEnded({ revokedAtMs, expiresAtMs }: TokenOwner, nowMs: number): void {
  if (revokedAtMs !== null) throw new AppError('auth.revoked', { details: { revokedAt: toRfc3339(revokedAtMs) } });
  if (expiresAtMs <= nowMs) throw new AppError('auth.expired', { details: { expiredAt: toRfc3339(expiresAtMs) } });
}
