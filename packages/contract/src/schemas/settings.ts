/** Settings of the orchestrator: values as they are written, `30s`, `5000`, `optimistic`. */
import { z } from 'zod';
import { actorSchema, instantSchema, pageSchema, reasonSchema } from './values.ts';

export const settingSchema = z
  .object({
    key: z.string(),
    /** Null: the definition of each gate says it. */
    value: z.string().nullable(),
    /** `set` while the server runs, given at its `start`, the `default`, or the `definition` of a gate. */
    source: z.enum(['set', 'start', 'default', 'definition']),
    default: z.string().nullable(),
    /** Null, like `max`, when it is one of `words`. */
    min: z.string().nullable(),
    max: z.string().nullable(),
    /** Those to choose from; null for a number. */
    words: z.array(z.string()).nullable(),
    unit: z.enum(['duration', 'count', 'bytes', 'word']),
    purpose: z.string(),
    /** Raised by each change; 0 when it was never changed. */
    version: z.int(),
    changedAt: instantSchema.nullable(),
    changedBy: actorSchema.nullable(),
  })
  .meta({ id: 'Setting' });

export const timeBudgetSchema = z
  .object({
    environment: z.string(),
    /** `precheck 10s + tests (3 × 2m + 30s of pauses) + deploy 15m = 21m40s`: of all gates the one that takes longest. */
    arithmetic: z.string(),
    totalMs: z.int(),
    stuckAfterMs: z.int(),
    /** The objective of every promotion. */
    objectiveMs: z.int(),
    /** What does not fit; empty when all does. */
    warnings: z.array(z.string()),
  })
  .meta({ id: 'TimeBudget' });

export const settingListSchema = z
  .object({
    items: z.array(settingSchema),
    /** Of each environment that the caller may read, by the settings as they are now. */
    timeBudgets: z.array(timeBudgetSchema),
  })
  .meta({ id: 'SettingList' });

export const settingDetailSchema = settingSchema
  .extend({
    /** Of environments whose budget this setting is a part of. */
    timeBudgets: z.array(timeBudgetSchema),
  })
  .meta({ id: 'SettingDetail' });

export const changedSettingSchema = settingSchema
  .extend({
    /** Of environments whose budget the change moves. */
    timeBudgets: z.array(timeBudgetSchema.extend({ before: timeBudgetSchema })),
  })
  .meta({ id: 'ChangedSetting' });

export const changeSettingSchema = z
  .strictObject({
    /** `45s`; null: what the server was started with counts again. */
    value: z.string().max(100).nullable(),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'ChangeSetting' });

export const settingChangeSchema = z
  .object({
    version: z.int(),
    /** Null: it was unset. */
    value: z.string().nullable(),
    changedAt: instantSchema,
    changedBy: actorSchema,
    reason: z.string(),
  })
  .meta({ id: 'SettingChange' });

export const settingChangePageSchema = pageSchema(settingChangeSchema).meta({ id: 'SettingChangePage' });
