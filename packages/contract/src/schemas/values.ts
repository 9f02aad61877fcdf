/** The small values of the wire, each parsed once, at the border. */
import { ENVIRONMENT_STATES, LOCK_MODES, PRIORITIES, PROMOTION_STATUSES, STEP_STATES, STEPS } from '@stella/domain';
import { z } from 'zod';

/** RFC 3339 in UTC. */
export const instantSchema = z.iso.datetime().meta({ id: 'Instant' });
export const digestSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .meta({ id: 'Digest' });
/** Names that people give: environments, gates, targets, components. */
export const nameSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
/** `shop-2.4.1` */
export const releaseNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/);
export const reasonSchema = z.string().max(1_000);
/** Whole id or unique start of one, or a name where the noun has names. */
export const referenceSchema = z.string().min(1).max(200);

export const promotionStatusSchema = z.enum(PROMOTION_STATUSES).meta({ id: 'PromotionStatus' });
export const stepSchema = z.enum(STEPS).meta({ id: 'Step' });
export const stepStateSchema = z.enum(STEP_STATES).meta({ id: 'StepState' });
export const prioritySchema = z.enum(PRIORITIES).meta({ id: 'Priority' });
export const environmentStateSchema = z.enum(ENVIRONMENT_STATES).meta({ id: 'EnvironmentState' });
export const lockModeSchema = z.enum(LOCK_MODES).meta({ id: 'LockMode' });

export const actorSchema = z
  .object({ kind: z.enum(['person', 'automation', 'worker', 'system']), id: z.string(), name: z.string() })
  .meta({ id: 'Actor' });

export const pageQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(200).optional(),
});

/** A page of a list: `next` is the cursor of the following one, null at the end. */
export function pageSchema<Row extends z.ZodType>(
  row: Row,
): z.ZodObject<{
  items: z.ZodArray<Row>;
  next: z.ZodNullable<z.ZodString>;
}> {
  return z.object({ items: z.array(row), next: z.string().nullable() });
}
