/** Persons, tokens and logging in, on the wire. */
import { z } from 'zod';
import { actorSchema, instantSchema, nameSchema, pageSchema } from './values.ts';

const ROLE_COUNT_MAX = 50;

/** `approver@prod` */
const bindingSchema = z.string().max(80);
export const subjectSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/);

export const createPersonSchema = z
  .strictObject({
    subject: subjectSchema,
    roles: z.array(bindingSchema).min(1).max(ROLE_COUNT_MAX),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'CreatePerson' });

/** The code is shown once; with it the person logs in. */
export const personCreatedSchema = z
  .object({
    id: z.string(),
    subject: z.string(),
    roles: z.array(z.string()),
    code: z.string(),
    expiresAt: instantSchema,
  })
  .meta({ id: 'PersonCreated' });

export const mintTokenSchema = z
  .strictObject({
    name: nameSchema,
    /** A duration; at most 365 days. */
    expiresIn: z.string().max(40).default('30d'),
    /** Null: for the caller. Else the automation of that name, made when there is none. */
    automation: nameSchema.nullable().default(null),
    /** Of the automation; never more than the caller has. */
    roles: z.array(bindingSchema).max(ROLE_COUNT_MAX).default([]),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'MintToken' });

/** The token is shown once. */
export const tokenMintedSchema = z
  .object({ id: z.string(), name: z.string(), owner: z.string(), token: z.string(), expiresAt: instantSchema })
  .meta({ id: 'TokenMinted' });

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    owner: z.string(),
    ownerKind: z.enum(['person', 'automation']),
    createdAt: instantSchema,
    expiresAt: instantSchema,
    revokedAt: instantSchema.nullable(),
  })
  .meta({ id: 'Token' });
export const tokenPageSchema = pageSchema(tokenSchema).meta({ id: 'TokenPage' });
export const tokenRevokedSchema = z.object({ id: z.string(), revokedAt: instantSchema }).meta({ id: 'TokenRevoked' });
export const revokeTokenSchema = z.strictObject({ dryRun: z.boolean().default(false) }).meta({ id: 'RevokeToken' });

export const loginSchema = z.strictObject({ code: z.string().max(200) }).meta({ id: 'Login' });
export const recoverSchema = z.strictObject({ key: z.string().max(200) }).meta({ id: 'Recover' });

export const whoamiSchema = z
  .object({
    actor: actorSchema,
    /** Whom it counts as where two persons are wanted. */
    person: z.string(),
    roles: z.array(z.string()),
    tokenId: z.string(),
    expiresAt: instantSchema,
  })
  .meta({ id: 'Whoami' });
