/** What is seen of targets, gates and registries from outside, and how gates' services have answered. */
import { PROBE_CODES, PROBE_OUTCOMES, PROBE_STAGES, PROBE_SUBJECT_KINDS } from '@stella/domain';
import { z } from 'zod';
import { instantSchema, nameSchema } from './values.ts';

export const probeReportSchema = z
  .object({
    kind: z.enum(PROBE_SUBJECT_KINDS),
    environment: z.string(),
    name: z.string(),
    at: instantSchema,
    /** No stage failed. */
    isOk: z.boolean(),
    stages: z.array(
      z.object({
        stage: z.enum(PROBE_STAGES),
        outcome: z.enum(PROBE_OUTCOMES),
        durationMs: z.int(),
        /** Null when ok. */
        code: z.enum(PROBE_CODES).nullable(),
        detail: z.string(),
        /** Of a certificate; null elsewhere. */
        expiresAt: instantSchema.nullable(),
      }),
    ),
  })
  .meta({ id: 'ProbeReport' });

export const probeListSchema = z.object({ items: z.array(probeReportSchema) });
export const probeQuerySchema = z.strictObject({ environment: z.string().max(63).optional() });

/** With neither: everything that the caller may probe. */
export const probeRequestSchema = z
  .strictObject({
    environment: nameSchema.optional(),
    /** Only this gate, where it is. */
    gate: nameSchema.optional(),
  })
  .meta({ id: 'ProbeRequest' });

export const credentialListSchema = z.object({
  items: z.array(
    z
      .object({
        kind: z.enum(PROBE_SUBJECT_KINDS),
        name: z.string(),
        /** Where the secret is, never the secret: `file:cab-token`; null when none is referred to. */
        reference: z.string().nullable(),
        /** The reference leads to a secret; null without one. */
        isResolved: z.boolean().nullable(),
        /** The other side let it in; null when it was not reached, or was not asked. */
        isAccepted: z.boolean().nullable(),
        detail: z.string(),
      })
      .meta({ id: 'CredentialCheck' }),
  ),
});

/** A duration: attempts that began within it. */
const windowSchema = z.string().max(40);
export const gateStatsQuerySchema = z.strictObject({
  environment: z.string().max(63).optional(),
  last: windowSchema.default('1h'),
});

export const gateStatsSchema = z
  .object({
    gate: z.string(),
    environment: z.string(),
    /** The window, `1h`. */
    last: z.string(),
    attemptCount: z.int(),
    passedCount: z.int(),
    failedCount: z.int(),
    timeoutCount: z.int(),
    errorCount: z.int(),
    /** Under way. */
    openCount: z.int(),
    /** Of those that ended; 0 while none has. */
    timeoutRate: z.number(),
    /** From the start of an attempt to its outcome; null while none has ended. */
    p50Ms: z.int().nullable(),
    p95Ms: z.int().nullable(),
    maxMs: z.int().nullable(),
    /** What the service promises; null: nothing. */
    slaMs: z.int().nullable(),
    /** There were more attempts in the window than are looked at. */
    isCut: z.boolean(),
  })
  .meta({ id: 'GateStats' });

export const gateStatsListSchema = z.object({ items: z.array(gateStatsSchema) });

export const gateServiceListSchema = z.object({
  items: z.array(
    z
      .object({
        environment: z.string(),
        gate: z.string(),
        /** Scheme, host and port; or the path of a program. */
        service: z.string(),
        stats: gateStatsSchema,
        /** The newest look; null when nobody has looked yet. */
        probe: probeReportSchema.nullable(),
      })
      .meta({ id: 'GateService' }),
  ),
});

export const promotionLogQuerySchema = z.strictObject({
  /** Only of this gate. */
  gate: nameSchema.optional(),
});

export const promotionLogSchema = z
  .object({
    promotionId: z.string(),
    /** What the lines come from, and since when; for people. */
    covers: z.array(z.string()),
    items: z.array(
      z.object({
        at: instantSchema,
        source: z.enum(['event', 'attempt', 'log']),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: 'PromotionLog' });
