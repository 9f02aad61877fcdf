/**
 * `POST /callbacks/{operation}`: no token, but a signature over id, time and the bytes of the body as they came, by the
 * secret of the gate that was asked. Nothing of the body is parsed before the signature fits; nothing is written before it
 * names the same gate run and digests.
 */
import { type Body, ROUTE_SCHEMAS } from '@stella/contract';
import {
  AppError,
  canonicalJson,
  type GateRunId,
  type Json,
  parseStrictJson,
  type PromotionSnapshot,
  refuseForeign,
} from '@stella/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { takeGateCallback } from '../engine/commands/take-callback.ts';
import type { CallbackPlace } from '../ports/read-store.ts';
import { checkSignature, readSignedHead, type SignedHead } from '../webhooks/webhook-signature.ts';
import { parseInput } from './request.ts';
import type { HttpDeps } from './route-handler.ts';

/** A verdict and the question that it repeats, of a release with many components. */
export const CALLBACK_BYTES_MAX = 262_144;
const MESSAGE_LENGTH_MAX = 500;

/** Bodies of its route come as bytes. */
export function takeBytes(scope: FastifyInstance): void {
  scope.removeContentTypeParser('application/json');
  scope.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: CALLBACK_BYTES_MAX },
    (_request, body, done) => done(null, body),
  );
}

/** Errors: those of `callback.*`, `input.invalid`, `input.json`. */
export async function takeCallbackRequest(deps: HttpDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  // Fastify has parsed the path by the route's own pattern.
  const { operation } = request.params as { readonly operation: string };
  const bytes = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
  const { headers } = request;
  const taken = await takeSignedVerdict(deps, { operation, headers, bytes, parse: () => parseVerdict(request, bytes) });
  deps.wake();
  countVerdict(deps, taken.place, taken.snapshot, taken);
  await reply.send({ operationId: operation, verdict: taken.verdict });
}

export interface SignedVerdict {
  /** The operation id of the path. */
  readonly operation: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Uint8Array;
  /** Called when the signature fits. */
  readonly parse: () => Body<'takeCallback'>;
}

export type CallbackDeps = Pick<HttpDeps, 'secrets' | 'clock' | 'commands' | 'ids'> & {
  readonly reads: Pick<HttpDeps['reads'], 'findCallbackPlace' | 'readPromotion'>;
};

export interface TakenVerdict extends Place {
  readonly operationId: string;
  readonly verdict: 'passed' | 'failed';
}

/** Whatever carries it here. Errors: those of `callback.*`, and of `parse`. */
export async function takeSignedVerdict(
  deps: CallbackDeps,
  { operation, headers, bytes, parse }: SignedVerdict,
): Promise<TakenVerdict> {
  const head = readSignedHead(headers);
  const { place, snapshot } = await findPlace(deps, operation);
  await checkSender(deps, { place, snapshot }, head, bytes);
  const said = parse();
  const verdict = {
    operationId: said.operationId,
    // Compared with the one that was asked about, at once.
    gateRunId: said.gateRunId as GateRunId,
    components: said.release.components,
    verdict: said.verdict,
    message: (said.message ?? `the service called back with ${said.verdict}`).slice(0, MESSAGE_LENGTH_MAX),
  };
  if (said.operationId !== operation) {
    throw new AppError('callback.foreign', { details: { operationId: operation, message: 'operationId is another' } });
  }
  refuseForeign(verdict, { gateRunId: place.gateRunId, components: snapshot.release.components });
  const order = { place, verdict, webhookId: head.id, body: inCanonicalForm(said) };
  await deps.commands.transact(null, async (tx) => {
    await takeGateCallback(tx, deps, order);
    return { status: 200, body: {} };
  });
  return { place, snapshot, operationId: operation, verdict: said.verdict };
}

interface Place {
  readonly place: CallbackPlace;
  readonly snapshot: PromotionSnapshot;
}

async function findPlace({ reads }: CallbackDeps, operationId: string): Promise<Place> {
  const place = await reads.findCallbackPlace(operationId);
  if (place === null) throw new AppError('callback.unknown', { details: { operationId } });
  const { snapshot } = await reads.readPromotion(place.promotionId);
  return { place, snapshot };
}

/** By the secret that the promotion's own definition names. */
async function checkSender(
  { secrets, clock }: CallbackDeps,
  { place, snapshot }: Place,
  head: SignedHead,
  body: Uint8Array,
): Promise<void> {
  const gate = snapshot.promotion.definition.gates.find((one) => one.name === place.gate);
  if (gate?.kind !== 'http' || gate.callback === undefined) {
    throw new AppError('callback.unknown', { details: { operationId: head.id } });
  }
  const secret = await secrets.read(gate.callback.secret);
  if (!secret.isThere) {
    throw new AppError('callback.secret', { details: { gate: gate.name, message: secret.message } });
  }
  checkSignature(secret.key, head, { body, nowMs: clock.nowMs() });
}

function parseVerdict(request: FastifyRequest, bytes: Uint8Array): Body<'takeCallback'> {
  request.body = parseStrictJson(bytes, (message) => new AppError('input.json', { details: { message } }));
  // What the route's own schema has parsed.
  return parseInput(ROUTE_SCHEMAS.takeCallback, request).body as Body<'takeCallback'>;
}

function inCanonicalForm(said: Body<'takeCallback'>): string {
  try {
    // It was parsed from JSON.
    return canonicalJson(said as unknown as Json);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AppError('input.json', { details: { message: 'it has a number that is too large' }, cause: error });
  }
}

/** Debts are counted by who asked. */
function countVerdict(
  { gateEvaluated, clock }: HttpDeps,
  place: CallbackPlace,
  { promotion, attempts }: PromotionSnapshot,
  { operationId, verdict }: { readonly operationId: string; readonly verdict: 'passed' | 'failed' },
): void {
  const attempt = attempts.find((one) => one.operationId === operationId);
  if (place.isDebt || !attempt) return;
  const durationMs = Math.max(0, clock.nowMs() - attempt.startedAtMs);
  gateEvaluated({ environment: promotion.environment, gate: place.gate, kind: 'http', outcome: verdict, durationMs });
}
