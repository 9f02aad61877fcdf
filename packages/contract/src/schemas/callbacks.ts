/** What the service of a gate with `mode: callback` sends to the URL that its question named. */
import { z } from 'zod';
import { digestSchema, nameSchema } from './values.ts';

/** The members of the question may all be repeated; those named here must be, as they were. */
export const callbackSchema = z
  .looseObject({
    operationId: z.string().min(1).max(300),
    gateRunId: z.string().min(1).max(100),
    release: z.looseObject({
      components: z.array(z.looseObject({ name: nameSchema, digest: digestSchema })).max(1_000),
    }),
    verdict: z.enum(['passed', 'failed']),
    /** For people; cut after 500 characters. */
    message: z.string().max(10_000).optional(),
  })
  .meta({ id: 'Callback' });

export const callbackAnswerSchema = z
  .object({ operationId: z.string(), verdict: z.enum(['passed', 'failed']) })
  .meta({ id: 'CallbackTaken' });
