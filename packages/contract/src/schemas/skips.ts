/** Skips of gates on the wire, and what they leave to be done. */
import { DEBT_OUTCOMES, DEBT_STATES, GATE_KINDS, SKIP_STATES } from '@stella/domain';
import { z } from 'zod';
import { instantSchema } from './values.ts';

export const skipSchema = z
  .object({
    id: z.string(),
    gate: z.string(),
    state: z.enum(SKIP_STATES),
    requestedBy: z.string(),
    reason: z.string(),
    requestedAt: instantSchema,
    /** Who approved or rejected it; null while nobody did. */
    decidedBy: z.string().nullable(),
    decidedAt: instantSchema.nullable(),
    /** Counts until then; null before its approval. */
    expiresAt: instantSchema.nullable(),
    endedAt: instantSchema.nullable(),
    /** Why it lapsed. */
    message: z.string(),
    /** What a second person types to approve it; null when it waits for nobody. */
    approveCommand: z.string().nullable(),
  })
  .meta({ id: 'Skip' });

/** A gate that was skipped and is still to pass for the release that runs. */
export const debtSchema = z
  .object({
    id: z.string(),
    promotionId: z.string(),
    gate: z.string(),
    kind: z.enum(GATE_KINDS),
    state: z.enum(DEBT_STATES),
    openedAt: instantSchema,
    closedAt: instantSchema.nullable(),
    /** When it is asked next; null when it is closed. */
    dueAt: instantSchema.nullable(),
    askCount: z.int(),
    lastAskedAt: instantSchema.nullable(),
    lastOutcome: z.enum(DEBT_OUTCOMES).nullable(),
    message: z.string(),
  })
  .meta({ id: 'GateDebt' });
