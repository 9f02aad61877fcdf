/** Channels by which people hear of promotions, and what is on its way to them. */
import { CHANNEL_KINDS, DELIVERY_STATES, NOTICE_TYPES } from '@stella/domain';
import { z } from 'zod';
import { instantSchema } from './values.ts';

export const channelSchema = z
  .object({
    name: z.string(),
    kind: z.enum(CHANNEL_KINDS),
    /**
     * `https://hooks.example.org/stella`, `mail to ops@example.org by mail.example.org:587`. Whoever is neither operator nor
     * admin of every environment of the channel is told the host of a webhook, `https://hooks.example.org/…`.
     */
    where: z.string(),
    events: z.array(z.enum(NOTICE_TYPES)),
    environments: z.array(z.string()),
    version: z.int(),
    appliedAt: instantSchema,
    pending: z.int(),
    /** Of the pending ones: those whose last attempt failed. */
    failing: z.int(),
    /** Given up. */
    dead: z.int(),
    oldestPendingAt: instantSchema.nullable(),
    lastDeliveredAt: instantSchema.nullable(),
    /** Of what is not delivered; empty without. */
    lastFailure: z.string(),
  })
  .meta({ id: 'NotificationChannel' });

export const channelListSchema = z.object({ items: z.array(channelSchema) }).meta({ id: 'NotificationChannelList' });

export const channelTestSchema = z.strictObject({}).meta({ id: 'TestNotificationChannel' });

export const channelTestAnswerSchema = z
  .object({
    channel: z.string(),
    outcome: z.enum(['delivered', 'failed', 'refused']),
    message: z.string(),
    durationMs: z.number(),
  })
  .meta({ id: 'NotificationTest' });

export const deliverySchema = z
  .object({
    /** The same at every attempt: `webhook-id`, and the Message-ID of a mail. */
    id: z.string(),
    channel: z.string(),
    type: z.string(),
    promotionId: z.string(),
    environment: z.string(),
    summary: z.string(),
    state: z.enum(DELIVERY_STATES),
    attempts: z.int(),
    createdAt: instantSchema,
    nextAttemptAt: instantSchema.nullable(),
    lastAttemptAt: instantSchema.nullable(),
    endedAt: instantSchema.nullable(),
    /** Of the last attempt. */
    message: z.string(),
  })
  .meta({ id: 'Delivery' });

export const deliveryListSchema = z.object({ items: z.array(deliverySchema) }).meta({ id: 'DeliveryList' });

export const deliveryQuerySchema = z.strictObject({
  channel: z.string().max(63).optional(),
  state: z.enum(DELIVERY_STATES).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});

export const retryDeliverySchema = z.strictObject({ dryRun: z.boolean().default(false) }).meta({ id: 'RetryDelivery' });
export const retryDeliveryAnswerSchema = deliverySchema.extend({ dryRun: z.boolean() }).meta({ id: 'RetriedDelivery' });
