/** Brings one notice to one channel. */
import type { DeliveryAnswer, NotificationChannel, Notice } from '@stella/domain';

export interface SendOrder {
  /** The same at every attempt: `webhook-id`, Message-ID. */
  readonly id: string;
  readonly notice: Notice;
  readonly channel: NotificationChannel;
  readonly signal: AbortSignal;
}

/** One attempt, within the channel's time. Never rejects. */
export type SendNotice = (order: SendOrder) => Promise<DeliveryAnswer>;
