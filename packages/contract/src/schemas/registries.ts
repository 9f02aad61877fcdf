/** Declared registries of artifacts. */
import { z } from 'zod';
import { instantSchema } from './values.ts';

export const registrySchema = z
  .object({
    host: z.string(),
    /** `https://registry.example:5000`. */
    url: z.string(),
    login: z.enum(['password', 'token', 'none']),
    /** Null without a password. */
    username: z.string().nullable(),
    /** Where the secret is, `env:STELLA_SECRET_…` or `file:/…`; null: none is sent. */
    secret: z.string().nullable(),
    /** Where the certificates are that are believed there; null: the system's are. */
    ca: z.string().nullable(),
    version: z.int(),
    appliedAt: instantSchema,
  })
  .meta({ id: 'Registry' });

export const registryListSchema = z.object({ items: z.array(registrySchema) }).meta({ id: 'RegistryList' });
