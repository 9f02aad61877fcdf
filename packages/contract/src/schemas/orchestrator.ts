/** The orchestrator itself: its state, locks, workers. */
import { z } from 'zod';
import { instantSchema, lockModeSchema, reasonSchema, stepSchema } from './values.ts';

export const lockSchema = z
  .object({
    id: z.string(),
    resource: z.string(),
    mode: lockModeSchema,
    promotionId: z.string(),
    environment: z.string(),
    step: stepSchema,
    workerId: z.string().nullable(),
    fence: z.string(),
    acquiredAt: instantSchema,
    /** Of the holder's worker. */
    heartbeatAt: instantSchema.nullable(),
    /** Nobody works for the holder. */
    isStale: z.boolean(),
    /** Promotions that wait, in order. */
    waiters: z.array(z.string()),
  })
  .meta({ id: 'Lock' });

export const lockListSchema = z.object({
  now: instantSchema,
  items: z.array(lockSchema),
  /** Promotions that wait for each other in a circle, which nothing but a release ends. */
  cycles: z.array(z.array(z.string())),
});
export const lockQuerySchema = z.strictObject({ environment: z.string().max(63).optional() });

export const releaseLockSchema = z
  .strictObject({
    force: z.boolean().default(false),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'ReleaseLock' });

export const releaseLockAnswerSchema = z
  .object({
    lockId: z.string(),
    promotionId: z.string(),
    environment: z.string(),
    fence: z.string(),
    /** Every target of the environment, and whether it took the seal. */
    seals: z.array(z.object({ target: z.string(), isSealed: z.boolean(), message: z.string() })),
    /** They had so long for it, all together; it grows with their number. */
    sealedWithinMs: z.int(),
    dryRun: z.boolean(),
  })
  .meta({ id: 'ReleaseLockAnswer' });

export const raiseFenceSchema = z
  .strictObject({ reason: reasonSchema.default(''), dryRun: z.boolean().default(false) })
  .meta({ id: 'RaiseFence' });

export const raiseFenceAnswerSchema = z
  .object({
    environment: z.string(),
    fence: z.string(),
    /** The highest that a target held before; null when none held any. */
    held: z.string().nullable(),
    wasStopped: z.boolean(),
    /** Every target of the environment, and whether it took the seal. */
    seals: z.array(z.object({ target: z.string(), isSealed: z.boolean(), message: z.string() })),
    /** They had so long for it, all together; it grows with their number. */
    sealedWithinMs: z.int(),
    dryRun: z.boolean(),
  })
  .meta({ id: 'RaiseFenceAnswer' });

export const orchestratorSchema = z
  .object({
    version: z.string(),
    now: instantSchema,
    database: z.object({ version: z.string(), schemaVersion: z.int(), isEmbedded: z.boolean() }),
    installationEpoch: z.int(),
    promotions: z.record(z.string(), z.int()),
    stalledCount: z.int(),
    /** No worker can move them. */
    setAsideCount: z.int(),
    liveLockCount: z.int(),
    /** Gates that were skipped and are still to pass for what runs. */
    openDebtCount: z.int(),
    /** Longest due and claimed by nobody; null when none is. */
    oldestDueAt: instantSchema.nullable(),
    chain: z.object({ lastSeq: z.int(), unsequencedCount: z.int() }),
    workers: z.array(
      z.object({
        id: z.string(),
        hostname: z.string(),
        version: z.string(),
        state: z.enum(['live', 'dead', 'retired']),
        startedAt: instantSchema,
        heartbeatAt: instantSchema,
        leaseUntil: instantSchema,
        claimCount: z.int(),
      }),
    ),
  })
  .meta({ id: 'Orchestrator' });

export const versionSchema = z.object({ version: z.string(), api: z.literal('v1') }).meta({ id: 'Version' });
