/**
 * Tells people of promotions, in every process with a worker: collects what happened, finds stalls, delivers what is due
 * and removes what is old. Any number of them share the work by row locks. A delivery is at least once: one whose server
 * dies between sending and recording is sent again, with the same id. Nothing here holds a row of a promotion, and what a
 * receiver does costs only its own channel time.
 */
import type { DeliveryAnswer } from '@stella/domain';
import { type Clock, endWithin, pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { NotifyMetrics } from '../ports/metrics.ts';
import type { DueDelivery, NotificationStore } from '../ports/notification-store.ts';
import type { SendNotice } from '../ports/notify-sender.ts';
import type { Random } from '../ports/random.ts';

/** How soon a notice follows its event, at the latest. Each look is two commits, also when nobody is to be told. */
const POLL_MS = 2_000;
/** While there is something to deliver: more may be waiting for a free place. */
const BUSY_POLL_MS = 500;
/** Places of the global chain per transaction: their notices are some 100 kB at most. */
const EVENTS_PER_TURN = 500;
const STALLS_EVERY_MS = 5_000;
/** More stall only when everything does; the rest follows at the next look. */
const STALLS_PER_TURN = 200;
/** Under way in one process, and of one channel: a receiver that hangs takes this much and no more. */
const IN_FLIGHT_MAX = 20;
const IN_FLIGHT_PER_CHANNEL_MAX = 4;
/** A sender that ignores its time-out is given up so long after it; well within what the claim leaves. */
const GIVE_UP_AFTER_MS = 1_000;
const PRUNE_EVERY_MS = 3_600_000;
/** Delivered or dead, as long as people may ask for it. */
export const DELIVERY_KEEP_MS = 30 * 24 * 3_600_000;
const PRUNE_ROWS = 1_000;

export interface NotifierDeps {
  readonly store: NotificationStore;
  readonly send: SendNotice;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: NotifyMetrics;
}

export interface Notifier {
  /** Takes nothing new, aborts what is under way and waits for its end; what was not recorded is due again. */
  stop(): Promise<void>;
}

export function startNotifier(deps: NotifierDeps): Notifier {
  const halt = new AbortController();
  const underWay = new Map<Promise<void>, string>();
  const ended = run(deps, halt.signal, underWay);
  return {
    async stop() {
      halt.abort();
      await ended;
      await Promise.all(underWay.keys());
    },
  };
}

type UnderWay = Map<Promise<void>, string>;

async function run(deps: NotifierDeps, signal: AbortSignal, underWay: UnderWay): Promise<void> {
  const { store, clock, logger } = deps;
  const isTimeForStalls = makePace(clock, STALLS_EVERY_MS);
  const isTimeToPrune = makePace(clock, PRUNE_EVERY_MS);
  while (!signal.aborted) {
    let waitMs = POLL_MS;
    try {
      const { hasMore } = await store.collectEvents(EVENTS_PER_TURN);
      if (hasMore) waitMs = 0;
      if (isTimeForStalls()) await store.collectStalls(STALLS_PER_TURN);
      if (isTimeToPrune()) await prune(deps);
      const takenCount = await deliverDue(deps, signal, underWay);
      if (!hasMore && takenCount > 0) waitMs = BUSY_POLL_MS;
    } catch (error) {
      logger.warn({ error }, 'notifications could not be collected or claimed');
      waitMs = POLL_MS;
    }
    await pause(clock, waitMs, signal);
  }
}

/** True the first time, and then once in each period. */
function makePace(clock: Pick<Clock, 'monotonicMs'>, everyMs: number): () => boolean {
  let nextMs = clock.monotonicMs();
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs < nextMs) return false;
    nextMs = nowMs + everyMs;
    return true;
  };
}

/** A page of what is old; the rest goes at the next time. */
async function prune({ store, clock, logger }: NotifierDeps): Promise<void> {
  const count = await store.pruneDeliveries(clock.nowMs() - DELIVERY_KEEP_MS, PRUNE_ROWS);
  if (count > 0) logger.info({ count }, 'old notifications were removed');
}

/** Answers how many it took. */
async function deliverDue(deps: NotifierDeps, signal: AbortSignal, underWay: UnderWay): Promise<number> {
  const limit = IN_FLIGHT_MAX - underWay.size;
  if (limit <= 0) return 0;
  const counts = new Map<string, number>();
  for (const channel of underWay.values()) counts.set(channel, (counts.get(channel) ?? 0) + 1);
  const wish = { limit, channelLimit: IN_FLIGHT_PER_CHANNEL_MAX, underWay: counts };
  const taken = await deps.store.takeDueDeliveries(wish);
  for (const due of taken) {
    const delivering: Promise<void> = deliver(deps, due, signal).finally(() => underWay.delete(delivering));
    underWay.set(delivering, due.channel.name);
  }
  return taken.length;
}

/** Never rejects: what was not recorded is due again. */
async function deliver(deps: NotifierDeps, due: DueDelivery, signal: AbortSignal): Promise<void> {
  const { store, random, logger, metrics } = deps;
  const { delivery, channel } = due;
  const about = { deliveryId: delivery.id, channel: channel.name, promotionId: delivery.promotionId };
  try {
    const answer = await attempt(deps, due, signal);
    // Our own end is no failure of the receiver.
    if (signal.aborted && answer.outcome !== 'delivered') return;
    const jitter = (random.bytes(1)[0] ?? 0) / 255;
    const recorded = await store.recordDelivery(delivery, answer, jitter);
    if (!recorded) return;
    metrics.deliveryAttempted(channel.name, recorded.state === 'dead' ? 'dead' : answer.outcome);
    if (recorded.state === 'dead') logger.warn({ ...about, message: answer.message }, 'a notification was given up');
  } catch (error) {
    logger.warn({ error, ...about }, 'a notification could not be recorded');
  }
}

async function attempt(
  deps: NotifierDeps,
  { delivery, channel }: DueDelivery,
  signal: AbortSignal,
): Promise<DeliveryAnswer> {
  const { timeoutMs } = channel.transport;
  const { id, notice } = delivery;
  return endWithin(
    deps.clock,
    { deadlineMs: timeoutMs + GIVE_UP_AFTER_MS, signal },
    (ending) => deps.send({ id, notice, channel, signal: ending }),
    () => ({ outcome: 'failed', message: `no end within ${timeoutMs} ms` }),
  );
}
