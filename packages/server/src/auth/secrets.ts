/** Tokens, enrolment codes and the recovery key: random, shown once, kept only as hashes. */
import { type Digest, digestOf } from '@stella/domain';
import type { Random } from '../ports/random.ts';

/** 256 bits; at least 160 are promised. */
const SECRET_BYTES = 32;

/** Prefixes tell people, and scanners for leaked secrets, what they have found. */
const PREFIXES = { token: 'stella_', enrolment: 'stella_enrol_', recovery: 'stella_recover_' } as const;

export interface NewSecret {
  /** To be shown once. */
  readonly secret: string;
  /** To be stored. */
  readonly hash: Digest;
}

export function makeSecret(random: Random, kind: keyof typeof PREFIXES): NewSecret {
  const secret = `${PREFIXES[kind]}${Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url')}`;
  return { secret, hash: hashSecret(secret) };
}

/** Full entropy needs no slow hash: nothing can be guessed from a word list. */
export function hashSecret(secret: string): Digest {
  return digestOf(secret);
}
