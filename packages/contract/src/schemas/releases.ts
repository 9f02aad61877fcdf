/** Releases on the wire. */
import { z } from 'zod';
import { digestSchema, instantSchema, nameSchema, pageSchema, releaseNameSchema } from './values.ts';

/** Components of one release. */
const COMPONENT_COUNT_MAX = 50;

export const releaseSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    number: z.int(),
    createdAt: instantSchema,
    components: z.array(
      z.object({
        name: z.string(),
        /** Where it was found: `oci-layout:/dir` or `host:port/repository`. */
        source: z.string(),
        tag: z.string().nullable(),
        digest: digestSchema,
        mediaType: z.string(),
      }),
    ),
  })
  .meta({ id: 'Release' });

export const releasePageSchema = pageSchema(releaseSchema).meta({ id: 'ReleasePage' });

export const createReleaseSchema = z
  .strictObject({
    name: releaseNameSchema,
    components: z
      .array(z.strictObject({ name: nameSchema, artifact: z.string().max(1_000) }))
      .min(1)
      .max(COMPONENT_COUNT_MAX),
    /** Resolves and checks the artifacts, and changes nothing. */
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'CreateRelease' });
