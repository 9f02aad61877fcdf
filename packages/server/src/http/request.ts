/** One request on its way: who calls, what was sent, parsed once, here. */
import { IDEMPOTENCY_HEADER, type RouteSchema, type Route } from '@stella/contract';
import { AppError, authorize, nearestOf, toStorableText } from '@stella/domain';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { authenticate, type Caller } from '../auth/authenticate.ts';
import type { HttpDeps } from './route-handler.ts';

/** Every request ends within this; work that lasts longer is started by one request and followed by others. */
export const REQUEST_TIMEOUT_MS = 30_000;

/** Null on public routes. Errors: those of `authenticate`, `auth.forbidden`. */
export async function identify(
  { reads, clock }: HttpDeps,
  route: Route,
  request: FastifyRequest,
): Promise<Caller | null> {
  if (route.policy === 'public') return null;
  const caller = await authenticate(reads, request.headers.authorization, clock.nowMs());
  // The role on any environment at all; the handler asks again for the one that is acted on.
  if (route.policy !== 'token') authorize(caller, route.policy, { environment: null, name: 'any environment' });
  return caller;
}

export interface ParsedInput {
  readonly query: unknown;
  readonly body: unknown;
}

/** Errors: `input.invalid`, `input.unknown_key`. */
export function parseInput(schema: RouteSchema, request: FastifyRequest): ParsedInput {
  const query = parse(schema.query, request.query, 'the query');
  const body = schema.body === null ? null : parse(schema.body, request.body ?? {}, 'the body');
  for (const [where, value] of Object.entries({ 'the path': request.params, 'the query': query, 'the body': body })) {
    refuseUnstorable(value, where);
  }
  return { query, body };
}

/** Not deeper than the schemas are. A text of a person is refused rather than changed. */
function refuseUnstorable(value: unknown, where: string): void {
  if (typeof value === 'string' && toStorableText(value) !== value) {
    const message = `${where} holds U+0000 or half a surrogate pair, which cannot be stored`;
    throw new AppError('input.invalid', { details: { message } });
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    refuseUnstorable(name, where);
    refuseUnstorable(member, `${where}, ${name}`);
  }
}

function parse(schema: z.ZodType, value: unknown, where: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (!issue) throw new AppError('input.invalid', { details: { message: `${where} is not valid` } });
  const place = issue.path.length === 0 ? where : `${where}, ${issue.path.join('.')}`;
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const nearest = nearestOf(key, keysOf(schema));
    throw new AppError('input.unknown_key', {
      details: { key, where: place, nearest },
      hint: nearest === null ? `known keys: ${keysOf(schema).join(', ')}` : `did you mean "${nearest}"?`,
    });
  }
  throw new AppError('input.invalid', { details: { message: `${place}: ${issue.message}` } });
}

function keysOf(schema: z.ZodType): string[] {
  return 'shape' in schema && typeof schema.shape === 'object' && schema.shape !== null
    ? Object.keys(schema.shape)
    : [];
}

export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const value = request.headers[IDEMPOTENCY_HEADER];
  return Array.isArray(value) ? value[0] : value;
}

/** `If-Match: "v12"` → 12; null when it was not sent. Errors: `etag.mismatch` for any other form. */
export function seenVersionOf(request: FastifyRequest): number | null {
  const value = request.headers['if-match'];
  if (value === undefined || value === '*') return null;
  const match = /^"v(\d{1,15})(?:-stalled)?"$/.exec(value);
  if (!match) throw new AppError('etag.mismatch');
  return Number(match[1]);
}

/** The caller's own name for the request when it is harmless, else a new one. */
export function requestIdOf(header: string | string[] | undefined, makeId: () => string): string {
  return typeof header === 'string' && /^[\w.-]{1,64}$/.test(header) ? header : makeId();
}
