/** What the doctor finds. */
import { z } from 'zod';

export const doctorQuerySchema = z.strictObject({
  /** One check by its id; all without. */
  check: z.string().max(100).optional(),
  /** Those of one category, the second part of their ids. */
  category: z.string().max(100).optional(),
  /** Of each check. */
  timeout: z
    .string()
    .regex(/^\d{1,4}(ms|s|m)$/)
    .default('30s'),
});

const checkStatusSchema = z.enum(['pass', 'warn', 'fail', 'skip']);

export const checkResultSchema = z
  .object({
    id: z.string(),
    title: z.string(),
    status: checkStatusSchema,
    message: z.string(),
    facts: z.array(z.object({ what: z.string(), value: z.string() })),
    /** Why it matters. */
    why: z.string(),
    /** Null: nothing is to be done. */
    remedy: z.object({ text: z.string(), command: z.string().nullable() }).nullable(),
    durationMs: z.int(),
  })
  .meta({ id: 'CheckResult' });

export const doctorAnswerSchema = z.object({ items: z.array(checkResultSchema) });
