/**
 * Signatures of Standard Webhooks (version 1 of its specification): HMAC-SHA256 over `<id>.<seconds>.<raw body>`.
 *
 * Not its library: that one asks the machine's clock by itself, hashes in JavaScript, and parses the body leniently before
 * its caller has seen it. Tests hold this against the example of the specification.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError, isPlanted } from '@stella/domain';

/** Between the clocks of both sides, and the time that a message is under way. */
export const SIGNATURE_TOLERANCE_MS = 5 * 60_000;
const ID_FORM = /^[A-Za-z0-9._-]{1,128}$/;
const SECONDS_FORM = /^\d{1,12}$/;
/** Several keys sign while one is exchanged for another. */
const SIGNATURE_COUNT_MAX = 10;
const VERSION = 'v1,';

export interface SignedHead {
  readonly id: string;
  readonly seconds: number;
  /** As they came: `v1,<base64>`, separated by blanks. */
  readonly signatures: readonly string[];
}

export function signatureHeaders(
  key: Uint8Array,
  { id, atMs, body }: { readonly id: string; readonly atMs: number; readonly body: string },
): Readonly<Record<string, string>> {
  const seconds = Math.floor(atMs / 1_000);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `${VERSION}${hmac(key, { id, seconds }, Buffer.from(body)).toString('base64')}`,
  };
}

/** Errors: `callback.unsigned`. */
export function readSignedHead(headers: Readonly<Record<string, string | string[] | undefined>>): SignedHead {
  const one = (name: string, form: RegExp): string => {
    const value = headers[name];
    if (typeof value !== 'string') throw unsigned(`it has no ${name}`);
    if (!form.test(value)) throw unsigned(`its ${name} has another form than Standard Webhooks gives it`);
    return value;
  };
  const id = one('webhook-id', ID_FORM);
  const seconds = Number(one('webhook-timestamp', SECONDS_FORM));
  const signatures = one('webhook-signature', /^\S{1,200}(?: \S{1,200}){0,9}$/).split(' ', SIGNATURE_COUNT_MAX);
  return { id, seconds, signatures };
}

/** Errors: `callback.clock`, `callback.signature`. */
export function checkSignature(
  key: Uint8Array,
  head: SignedHead,
  { body, nowMs }: { readonly body: Uint8Array; readonly nowMs: number },
): void {
  const expected = hmac(key, head, body);
  const fits = head.signatures.filter((one) => isSame(one, expected)).length > 0;
  if (!fits && !isPlanted('callback.forged_counts')) throw new AppError('callback.signature');
  const signedAtMs = head.seconds * 1_000;
  if (Math.abs(nowMs - signedAtMs) <= SIGNATURE_TOLERANCE_MS) return;
  const signedAt = `second ${head.seconds} of 1970`;
  throw new AppError('callback.clock', { details: { signedAt, toleranceMs: SIGNATURE_TOLERANCE_MS } });
}

function isSame(text: string, expected: Buffer): boolean {
  if (!text.startsWith(VERSION)) return false;
  const given = Buffer.from(text.slice(VERSION.length), 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function hmac(key: Uint8Array, { id, seconds }: Pick<SignedHead, 'id' | 'seconds'>, body: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest();
}

function unsigned(message: string): AppError {
  return new AppError('callback.unsigned', { details: { message } });
}
