/** Errors on the wire: problem+json (RFC 9457) with our code and the next step. */
import { z } from 'zod';

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    /** From the registry of error codes; match on this, never on text. */
    code: z.string(),
    next: z.array(z.object({ title: z.string(), command: z.string().nullable() })),
    requestId: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Problem' });
