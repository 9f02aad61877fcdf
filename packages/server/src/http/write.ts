/** Writes of the API: one transaction, an Idempotency-Key, a dry run. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { AppError, canonicalJson, digestOf, type Json } from '@stella/domain';
import type { CommandStore, CommandTransaction, IdempotencyRequest } from '../ports/command-store.ts';
import type { Random } from '../ports/random.ts';
import type { ReadStore } from '../ports/read-store.ts';

const KEY_LENGTH_MAX = 200;

export interface WriteRequest {
  readonly actorId: string;
  readonly route: string;
  readonly body: unknown;
  readonly idempotencyKey: string | undefined;
  readonly isDryRun: boolean;
  readonly status: number;
  /** What the caller has shown: his token, or his one-time code. */
  readonly credential: string;
}

/** Carries the answer of a dry run out of its transaction, which it thereby rolls back. */
class DryRun extends Error {
  readonly body: object;
  constructor(body: object) {
    super('dry run');
    this.body = body;
  }
}

export async function writeOnce<Body extends object>(
  deps: { commands: CommandStore; random: Random },
  request: WriteRequest,
  work: (tx: CommandTransaction) => Promise<Body>,
  secretField?: string,
): Promise<Body> {
  const key = request.isDryRun ? null : toKey(request);
  try {
    const stored = await deps.commands.transact(key, async (tx) => {
      const body = await work(tx);
      if (request.isDryRun) throw new DryRun(body);
      const kept = key && secretField !== undefined ? hideSecret(deps.random, request, body, secretField) : body;
      return { status: request.status, body: kept };
    });
    // What was stored is what an earlier call of the same work answered.
    const body = stored.body as Body;
    return key && secretField !== undefined ? showSecret(request, body, secretField) : body;
  } catch (error) {
    // Thrown above, with what this very work answered.
    if (error instanceof DryRun) return error.body as Body;
    throw error;
  }
}

/**
 * What an earlier request with the same key was answered; null: none has ended. A dry run has no key. For routes that ask
 * something outside before their transaction: a repeat must not depend on it (safety S12).
 */
export async function findRepeated(
  { reads }: { readonly reads: Pick<ReadStore, 'findAnswer'> },
  request: WriteRequest,
): Promise<object | null> {
  const key = request.isDryRun ? null : toKey(request);
  const kept = key && (await reads.findAnswer(key));
  // Answers are objects, as `writeOnce` takes no others.
  return kept ? (kept.body as object) : null;
}

function toKey({ actorId, route, body, idempotencyKey }: WriteRequest): IdempotencyRequest | null {
  if (idempotencyKey === undefined) return null;
  if (idempotencyKey === '' || idempotencyKey.length > KEY_LENGTH_MAX) {
    throw new AppError('input.invalid', {
      details: { message: `the Idempotency-Key must have 1 to ${KEY_LENGTH_MAX} characters` },
    });
  }
  // It was parsed from JSON.
  return { actorId, route, key: idempotencyKey, bodyHash: digestOf(canonicalJson(body as Json)) };
}

/*
 * A kept answer may hold a new token. It is stored encrypted under the caller's own credential, which the database does
 * not have, so that a repeat gets the same answer and a stolen database gives nothing (safety S12, S14).
 */
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function hideSecret<Body extends object>(random: Random, request: WriteRequest, body: Body, field: string): Body {
  const nonce = Buffer.from(random.bytes(NONCE_BYTES));
  const cipher = createCipheriv(CIPHER, cipherKey(request), nonce);
  const hidden = Buffer.concat([cipher.update(secretIn(body, field), 'utf8'), cipher.final()]);
  return { ...body, [field]: Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString('base64url') };
}

function showSecret<Body extends object>(request: WriteRequest, body: Body, field: string): Body {
  const bytes = Buffer.from(secretIn(body, field), 'base64url');
  const decipher = createDecipheriv(CIPHER, cipherKey(request), bytes.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    const shown = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    return { ...body, [field]: shown.toString('utf8') };
  } catch (error) {
    // The same key, sent with another token of the same person: the answer cannot be read back.
    throw new AppError('idempotency.mismatch', { cause: error });
  }
}

function secretIn(body: object, field: string): string {
  // Any object may be read by name.
  return String((body as Readonly<Record<string, unknown>>)[field]);
}

function cipherKey({ credential, route, idempotencyKey }: WriteRequest): Buffer {
  return Buffer.from(hkdfSync('sha256', credential, idempotencyKey ?? '', `stella answer ${route}`, 32));
}
