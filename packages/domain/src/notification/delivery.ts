/** One notice on its way to one channel: delivered at least once, or given up where everybody can see it. */
import type { InstantMs } from '../values/instant.ts';
import type { Id, PromotionId } from '../values/ids.ts';
import type { ChannelTransport } from './channel.ts';
import type { Notice } from './notice.ts';

export type DeliveryId = Id<'ntf'>;

/** `dead`: given up; only a person's `notify retry` tries it again. */
export const DELIVERY_STATES = ['pending', 'delivered', 'dead'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface Delivery {
  /** The same at every attempt, so that a receiver can tell a repeat: `webhook-id`, and the Message-ID of a mail. */
  readonly id: DeliveryId;
  /** Name of the channel, which may have gone. */
  readonly channel: string;
  readonly promotionId: PromotionId;
  readonly environment: string;
  readonly notice: Notice;
  readonly state: DeliveryState;
  readonly attemptCount: number;
  readonly createdAtMs: InstantMs;
  /** From when its age counts: its making, or a person's order to try again. */
  readonly openedAtMs: InstantMs;
  /** While it is pending. */
  readonly dueAtMs: InstantMs | null;
  readonly lastAttemptAtMs: InstantMs | null;
  /** Of the last attempt; holds no secret. */
  readonly message: string;
  readonly endedAtMs: InstantMs | null;
}

/** What an attempt came to. `refused`: the receiver wants nothing more of this. */
export interface DeliveryAnswer {
  readonly outcome: 'delivered' | 'failed' | 'refused';
  readonly message: string;
}

/** Attempts of one delivery; with the pauses below its age ends it first. */
export const DELIVERY_ATTEMPTS_MAX = 40;
/** Who did not hear of it within a day does not want to any more. */
export const DELIVERY_AGE_MAX_MS = 24 * 3_600_000;
const PAUSE_FIRST_MS = 5_000;
const PAUSE_MAX_MS = 3_600_000;
const MESSAGE_LENGTH_MAX = 500;
/** Beyond the deadline of the attempt: until then nobody else tries. */
const LEASE_SLACK_MS = 5_000;

/** The next attempt under way: should its server die, it is due again when the lease ends. */
export function claimDelivery(delivery: Delivery, { timeoutMs }: ChannelTransport, nowMs: InstantMs): Delivery {
  return {
    ...delivery,
    attemptCount: delivery.attemptCount + 1,
    lastAttemptAtMs: nowMs,
    dueAtMs: nowMs + timeoutMs + LEASE_SLACK_MS,
  };
}

/** `jitter` from 0 to 1 spreads the attempts of many over the second half of the pause. */
export function settleDelivery(
  delivery: Delivery,
  { outcome, message }: DeliveryAnswer,
  { nowMs, jitter }: { readonly nowMs: InstantMs; readonly jitter: number },
): Delivery {
  const said = { message: message.slice(0, MESSAGE_LENGTH_MAX) };
  const ended = { ...delivery, ...said, dueAtMs: null, endedAtMs: nowMs };
  if (outcome === 'delivered') return { ...ended, state: 'delivered' };
  if (outcome === 'refused') return { ...ended, state: 'dead' };
  const dueAtMs = nowMs + pauseMs(delivery.attemptCount, jitter);
  const isLast = delivery.attemptCount >= DELIVERY_ATTEMPTS_MAX || dueAtMs > delivery.openedAtMs + DELIVERY_AGE_MAX_MS;
  return isLast ? { ...ended, state: 'dead' } : { ...delivery, ...said, dueAtMs };
}

/** A person's order: due at once, with all its attempts and its age before it. */
export function reopenDelivery(delivery: Delivery, nowMs: InstantMs): Delivery {
  return { ...delivery, state: 'pending', attemptCount: 0, openedAtMs: nowMs, dueAtMs: nowMs, endedAtMs: null };
}

/** 5 s, 10 s, 20 s … 1 h, each shortened by up to a half. */
function pauseMs(attemptCount: number, jitter: number): number {
  const wholeMs = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** Math.max(0, attemptCount - 1));
  return Math.round(wholeMs * (0.5 + 0.5 * Math.min(1, Math.max(0, jitter))));
}
