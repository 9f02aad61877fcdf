/** Quotas of environments: limits, what is used of them, who waits, and who asked for more. */
import { QUOTA_MAX, QUOTA_NAMES } from '@stella/domain';
import { z } from 'zod';
import { instantSchema, reasonSchema } from './values.ts';

export const quotaRequestSchema = z
  .object({
    wanted: z.int(),
    reason: z.string(),
    by: z.string(),
    at: instantSchema,
  })
  .meta({ id: 'QuotaRequest' });

export const quotaSchema = z
  .object({
    environment: z.string(),
    name: z.enum(QUOTA_NAMES),
    /** Null: without limit. */
    limit: z.int().nullable(),
    /** What the definition says; null: nothing. */
    declared: z.int().nullable(),
    /** What was set over it; null: nothing. */
    set: z.int().nullable(),
    setBy: z.string().nullable(),
    /** Counted of this hour, of this day, or at this moment. */
    used: z.int(),
    /** Promotions that wait for a place. */
    waiting: z.int(),
    /** In whose hours and days starts are counted. */
    timeZone: z.string(),
    /** Since when starts are counted; null for those in progress. */
    since: instantSchema.nullable(),
    /** When they are counted anew; null: a place is free when one ends. */
    resetsAt: instantSchema.nullable(),
    /** Open: nobody has changed the limit since. */
    request: quotaRequestSchema.nullable(),
  })
  .meta({ id: 'Quota' });

export const quotaListSchema = z.object({ now: instantSchema, items: z.array(quotaSchema) }).meta({ id: 'QuotaList' });
export const quotaQuerySchema = z.strictObject({ environment: z.string().max(63).optional() });

const limitSchema = z.int().min(1).max(QUOTA_MAX).nullable().optional();

export const changeQuotasSchema = z
  .strictObject({
    /** Null: what the definition says counts again. What is not named stays. */
    limits: z.strictObject({ perHour: limitSchema, perDay: limitSchema, inProgress: limitSchema }),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'ChangeQuotas' });

export const quotasChangedSchema = z
  .object({
    environment: z.string(),
    limits: z.array(
      z.object({
        name: z.enum(QUOTA_NAMES),
        from: z.int().nullable(),
        to: z.int().nullable(),
        set: z.int().nullable(),
      }),
    ),
    dryRun: z.boolean(),
  })
  .meta({ id: 'QuotasChanged' });

export const requestQuotaSchema = z
  .strictObject({
    name: z.enum(QUOTA_NAMES),
    wanted: z.int().min(1).max(QUOTA_MAX),
    reason: reasonSchema.min(1),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'RequestQuota' });

export const quotaRequestedSchema = z
  .object({
    environment: z.string(),
    name: z.enum(QUOTA_NAMES),
    request: quotaRequestSchema,
    dryRun: z.boolean(),
  })
  .meta({ id: 'QuotaRequested' });
