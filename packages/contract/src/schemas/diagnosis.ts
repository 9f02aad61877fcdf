/** Why a promotion does not go on, on the wire. */
import { CAUSE_CODES, CONFIDENCES, FACT_SOURCES, HARMS, REMEDY_KINDS, ROLES, VERDICTS } from '@stella/domain';
import { z } from 'zod';
import { instantSchema } from './values.ts';

export const factSchema = z
  .object({ what: z.string(), value: z.string(), at: instantSchema, source: z.enum(FACT_SOURCES) })
  .meta({ id: 'Fact' });

export const remedySchema = z
  .object({
    /** `command` cures; `external`: mend something outside, the command resumes or verifies; `wait`: until then. */
    kind: z.enum(REMEDY_KINDS),
    text: z.string(),
    /** As it is typed; null: there is nothing to type. */
    command: z.string().nullable(),
    effect: z.string(),
    harm: z.enum(HARMS),
    /** The role that it asks for. */
    needs: z.enum(ROLES).nullable(),
    needsApproval: z.boolean(),
    until: instantSchema.nullable(),
  })
  .meta({ id: 'Remedy' });

export const causeSchema = z
  .object({
    code: z.enum(CAUSE_CODES),
    title: z.string(),
    confidence: z.enum(CONFIDENCES),
    /** Whose it is: its own, or of a promotion that it waits for. */
    promotionId: z.string(),
    facts: z.array(factSchema),
    remedies: z.array(remedySchema),
  })
  .meta({ id: 'Cause' });

export const diagnosisSchema = z
  .object({
    promotionId: z.string(),
    environment: z.string(),
    now: instantSchema,
    verdict: z.enum(VERDICTS),
    summary: z.string(),
    waitsUntil: instantSchema.nullable(),
    /** Root first. */
    causes: z.array(causeSchema),
    /** What was found well, when nothing explains a stall. */
    ruledOut: z.array(factSchema),
    timeBudget: z.object({
      lastProgressAt: instantSchema,
      /** By the stall clock: since the later of the last progress and the last entry into in_progress. */
      sinceProgressMs: z.int(),
      stuckAfterMs: z.int(),
      stallsAt: instantSchema.nullable(),
      sloAt: instantSchema.nullable(),
    }),
  })
  .meta({ id: 'Diagnosis' });
