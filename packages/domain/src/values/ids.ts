/**
 * Prefixed ids: `prm_` + UUIDv7 as 32 hex digits, so that they sort by time of making and any unique prefix of one
 * can be typed (RFC 9562, section 5.7).
 */
import { AppError } from '../errors/app-error.ts';

export const ID_PREFIXES = [
  'prm',
  'rel',
  'gtr',
  'lck',
  'apv',
  'per',
  'aut',
  'tok',
  'wrk',
  'req',
  'enr',
  'skp',
  'dbt',
  'ntf',
] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];

export type Id<P extends IdPrefix> = `${P}_${string}` & { readonly __id: P };
export type PromotionId = Id<'prm'>;
export type ReleaseId = Id<'rel'>;
export type GateRunId = Id<'gtr'>;
export type LockId = Id<'lck'>;
export type ApprovalId = Id<'apv'>;
export type PersonId = Id<'per'>;
export type AutomationId = Id<'aut'>;
export type TokenId = Id<'tok'>;
export type WorkerId = Id<'wrk'>;
export type SkipId = Id<'skp'>;
export type DebtId = Id<'dbt'>;

/** Makes ids; the only way to get a new one. The server's is `makeIds(clock, random)`, a test's is seeded. */
export interface IdSource {
  next<P extends IdPrefix>(prefix: P): Id<P>;
}

/** `clock` gives Unix milliseconds, `randomBytes` that many random bytes. Ids of one source strictly increase. */
export function makeIds(nowMs: () => number, randomBytes: (count: number) => Uint8Array): IdSource {
  let lastMs = 0;
  let counter = 0;
  return {
    next<P extends IdPrefix>(prefix: P): Id<P> {
      const readMs = nowMs();
      if (readMs > lastMs) {
        lastMs = readMs;
        counter = 0;
      } else {
        counter += 1;
        if (counter > 0xfff) {
          lastMs += 1;
          counter = 0;
        }
      }
      const random = randomBytes(8);
      random[0] = ((random[0] ?? 0) & 0x3f) | 0x80;
      const tail = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
      const text = `${lastMs.toString(16).padStart(12, '0')}7${counter.toString(16).padStart(3, '0')}${tail}`;
      return `${prefix}_${text}` as Id<P>;
    },
  };
}

const ID_BODY = /^[0-9a-f]{32}$/;

/** A whole id of the given kind. Throws `input.id`. */
export function parseId<P extends IdPrefix>(prefix: P, value: unknown): Id<P> {
  if (typeof value === 'string' && value.startsWith(`${prefix}_`) && ID_BODY.test(value.slice(prefix.length + 1))) {
    return value as Id<P>;
  }
  throw new AppError('input.id', { details: { value: String(value).slice(0, 100), prefix } });
}

/** True for a text that may be the start of an id of the kind, e.g. `prm_01jd`. */
export function isIdStart(prefix: IdPrefix, value: string): boolean {
  return value.startsWith(`${prefix}_`) && /^[0-9a-f]{1,32}$/.test(value.slice(prefix.length + 1));
}
