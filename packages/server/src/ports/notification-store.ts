/**
 * What tells people of promotions asks of the database. The events of a promotion are the outbox: each was written in the
 * transaction of the change that it tells of, and becomes a delivery of every channel that hears of it, once. Every
 * method is one transaction and has a deadline.
 */
import type { Delivery, DeliveryAnswer, DeliveryId, DeliveryState, Digest, NotificationChannel } from '@stella/domain';

export interface ChannelRecord {
  readonly definition: NotificationChannel;
  /** 1, 2, 3 …, one per applied change. */
  readonly version: number;
  readonly hash: Digest;
  readonly appliedAtMs: number;
}

export interface DueDelivery {
  /** As it was claimed: `attemptCount` says which attempt. */
  readonly delivery: Delivery;
  readonly channel: NotificationChannel;
}

export interface ClaimWish {
  /** In all. */
  readonly limit: number;
  /** Of one channel. */
  readonly channelLimit: number;
  /** Deliveries under way of each channel, which count against its limit: one that hangs keeps nobody else waiting. */
  readonly underWay: ReadonlyMap<string, number>;
}

export interface DeliveryFilter {
  /** Null: of all. */
  readonly channel: string | null;
  readonly state: DeliveryState | null;
  readonly limit: number;
}

/** How a channel is, for lists, metrics and the doctor. */
export interface ChannelHealth extends ChannelRecord {
  readonly pendingCount: number;
  readonly deadCount: number;
  /** Of what is pending; null when nothing is. */
  readonly oldestPendingAtMs: number | null;
  /** Pending ones that were tried before. */
  readonly failingCount: number;
  readonly lastDeliveredAtMs: number | null;
  /** Of the last attempt that failed and is still pending or dead; empty without. */
  readonly lastFailure: string;
}

/** What is shown of channels and deliveries. */
export interface NotificationReads {
  /** In order of name. */
  listChannels(): Promise<readonly ChannelHealth[]>;
  /** Newest first. */
  listDeliveries(filter: DeliveryFilter): Promise<readonly Delivery[]>;
  /** Whole ids that begin so, at most two. */
  findDeliveries(start: string): Promise<readonly DeliveryId[]>;
}

export interface NotificationStore extends NotificationReads {
  /** At most `limit` places of the global chain. Answers how many deliveries were made, and whether there is more. */
  collectEvents(limit: number): Promise<{ readonly madeCount: number; readonly hasMore: boolean }>;
  /** A delivery for each stalled promotion that a channel has not heard of since it stalls, at most `limit`. */
  collectStalls(limit: number): Promise<number>;
  /**
   * Due ones, oldest first within their channel; those that another server claims at this moment are skipped. The claim
   * moves the due time beyond the deadline of the attempt, so that what a dead server has claimed is due again.
   */
  takeDueDeliveries(wish: ClaimWish): Promise<readonly DueDelivery[]>;
  /**
   * What an attempt came to; `jitter` from 0 to 1. Null, and nothing is written, when it ended or was claimed again
   * meanwhile.
   */
  recordDelivery(delivery: Delivery, answer: DeliveryAnswer, jitter: number): Promise<Delivery | null>;
  /** Removes at most `limit` that ended before the moment; answers how many. */
  pruneDeliveries(beforeMs: number, limit: number): Promise<number>;
}
