/**
 * Server-sent events: the global chain as it grows, by its `seq`, so that a reader that was away goes on where it was
 * (`Last-Event-ID`). Reads the chain itself and never a notification: what is shown is what is stored.
 */
import { isAllowed, type PromotionId } from '@stella/domain';
import { API_HEADER, API_VERSION } from '@stella/contract';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../auth/authenticate.ts';
import { pause } from '../ports/clock.ts';
import type { RecordedEvent } from '../ports/read-store.ts';
import { presentEvent } from './present/present-rows.ts';
import type { HttpDeps } from './route-handler.ts';

const POLL_MS = 200;
const BATCH_SIZE = 500;
/** A comment this often keeps proxies from closing a quiet stream, and shows us a reader that is gone. */
const KEEP_ALIVE_MS = 15_000;
/** A stream ends after this and the reader comes back with its last id: rights are looked at again. */
const STREAM_MS_MAX = 15 * 60_000;
/** A reader that lets so many bytes wait is cut off; it can come back with its last id. */
const UNREAD_BYTES_MAX = 4 * 1_048_576;

export interface StreamOrder {
  readonly caller: Caller;
  readonly afterSeq: number;
  readonly promotionId: PromotionId | null;
  readonly signal: AbortSignal;
}

export async function streamEvents(deps: HttpDeps, reply: FastifyReply, order: StreamOrder): Promise<void> {
  const { clock, reads, logger } = deps;
  const { raw } = reply;
  reply.hijack();
  raw.writeHead(200, {
    [API_HEADER]: API_VERSION,
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.write(': stella\n\n');
  const environments = new Map<string, string>();
  const endsAtMs = clock.monotonicMs() + STREAM_MS_MAX;
  let spokeAtMs = clock.monotonicMs();
  let afterSeq = order.afterSeq;
  try {
    while (!order.signal.aborted && clock.monotonicMs() < endsAtMs && raw.writableLength < UNREAD_BYTES_MAX) {
      const events = await reads.readEvents(afterSeq, BATCH_SIZE, order.promotionId);
      for (const event of events) {
        afterSeq = event.seq;
        if (!(await isVisible(deps, order.caller, event, environments))) continue;
        raw.write(`id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(presentEvent(event))}\n\n`);
        spokeAtMs = clock.monotonicMs();
      }
      if (clock.monotonicMs() - spokeAtMs > KEEP_ALIVE_MS) {
        raw.write(': still here\n\n');
        spokeAtMs = clock.monotonicMs();
      }
      if (events.length < BATCH_SIZE) await pause(clock, POLL_MS, order.signal);
    }
  } catch (error) {
    logger.warn({ error }, 'an event stream ended early');
  }
  raw.end();
}

/** Events of a promotion are for those who may see its environment; others for those who may see the orchestrator. */
async function isVisible(
  { reads }: HttpDeps,
  caller: Caller,
  event: RecordedEvent,
  environments: Map<string, string>,
): Promise<boolean> {
  if (event.promotionId === null) return isAllowed(caller.bindings, 'orchestrator.read', null);
  let environment = environments.get(event.promotionId);
  if (environment === undefined) {
    environment = (await reads.readPromotion(event.promotionId)).snapshot.promotion.environment;
    environments.set(event.promotionId, environment);
  }
  return isAllowed(caller.bindings, 'promotion.read', environment);
}
