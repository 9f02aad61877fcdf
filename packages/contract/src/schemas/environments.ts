/** Environments on the wire, and what `apply` sends and answers. */
import { CONCURRENCY_MODES, FENCE_KEEPERS, GATE_KINDS, MISSING_KINDS, TARGET_KINDS } from '@stella/domain';
import { z } from 'zod';
import { debtSchema } from './skips.ts';
import { digestSchema, environmentStateSchema, instantSchema, nameSchema, reasonSchema } from './values.ts';

export const stopSchema = z
  .object({
    at: instantSchema,
    target: z.string(),
    /** The fence that the target holds, `1.500`. */
    fence: z.string(),
    /** Its newest operation; null when it holds none. */
    operationId: z.string().nullable(),
    /** What of it the database does not know. */
    lacks: z.enum(MISSING_KINDS),
    message: z.string(),
    /** The command that cures it. */
    cure: z.string(),
  })
  .meta({ id: 'EnvironmentStop' });

export const freezeNowSchema = z
  .object({
    reason: z.string(),
    /** Who froze; null: the definition plans it. */
    by: z.string().nullable(),
    at: instantSchema,
    /** Null: until somebody unfreezes. */
    until: instantSchema.nullable(),
  })
  .meta({ id: 'Freeze' });

export const freezeSchema = z
  .strictObject({
    reason: reasonSchema.min(1),
    /** When it ends by itself; neither this nor `for`: when somebody unfreezes. */
    until: instantSchema.optional(),
    /** A duration: how long it lasts. */
    for: z.string().max(40).optional(),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'FreezeEnvironment' });

export const unfreezeSchema = z
  .strictObject({ reason: reasonSchema.default(''), dryRun: z.boolean().default(false) })
  .meta({ id: 'UnfreezeEnvironment' });

export const freezeChangeSchema = z
  .object({
    environment: z.string(),
    /** 1, 2, 3 …, one per freeze and per end of one. */
    version: z.int(),
    /** What is frozen afterwards; null: nothing. */
    freeze: freezeNowSchema.nullable(),
    dryRun: z.boolean(),
  })
  .meta({ id: 'FreezeChange' });

export const environmentSchema = z
  .object({
    name: z.string(),
    version: z.int(),
    hash: digestSchema,
    appliedAt: instantSchema,
    promotesFrom: z.array(z.string()),
    gates: z.array(z.object({ name: z.string(), kind: z.enum(GATE_KINDS) })),
    targets: z.array(
      z.object({
        name: z.string(),
        kind: z.enum(TARGET_KINDS),
        component: z.string(),
        /** `deploy@10.0.0.5:22`, over SSH; null: the orchestrator's own machine. */
        host: z.string().nullable(),
        /** What keeps its fence, which shuts out older operations: names in its own directory, or a script on its host. */
        fence: z.enum(FENCE_KEEPERS),
      }),
    ),
    state: environmentStateSchema,
    /** What runs there, as last verified; null before the first, and while components are of several releases. */
    release: z.object({ id: z.string(), name: z.string() }).nullable(),
    releasedAt: instantSchema.nullable(),
    /** Why nothing is deployed there (`fence.behind`), with the cure; null when all is well. */
    stop: stopSchema.nullable(),
    /** Why nothing new is deployed there now; null: nothing is frozen. */
    freeze: freezeNowSchema.nullable(),
    /** Gates that were skipped and are still to pass for what runs there. */
    debts: z.array(debtSchema),
    concurrency: z.enum(CONCURRENCY_MODES),
    components: z.array(
      z.object({
        component: z.string(),
        release: z.object({ id: z.string(), name: z.string() }).nullable(),
        releasedAt: instantSchema.nullable(),
        state: environmentStateSchema,
      }),
    ),
  })
  .meta({ id: 'Environment' });

export const environmentDetailSchema = environmentSchema
  .extend({
    /** The whole definition in the YAML form that `apply` takes. */
    yaml: z.string(),
  })
  .meta({ id: 'EnvironmentDetail' });

export const environmentListSchema = z.object({ items: z.array(environmentSchema) });

/** Texts of one apply together; as many files as a directory may hold. */
const DOCUMENT_BYTES_MAX = 1_048_576;
const DOCUMENT_COUNT_MAX = 200;
/** As a document says itself what it is. */
const DOCUMENT_KINDS = ['Environment', 'Notification', 'Registry'] as const;

export const applyRequestSchema = z
  .strictObject({
    documents: z
      .array(z.strictObject({ file: z.string().max(500), text: z.string().max(DOCUMENT_BYTES_MAX) }))
      .max(DOCUMENT_COUNT_MAX),
    /** Removes what the documents do not name, of each kind of which there is a document. */
    prune: z.boolean().default(false),
    /** Likewise, of these kinds also without a document. */
    pruneKinds: z.array(z.enum(DOCUMENT_KINDS)).default([]),
    /** Removes these; one that the documents name stays. */
    remove: z.array(nameSchema).max(DOCUMENT_COUNT_MAX).default([]),
    /** Answers the differences and changes nothing. */
    dryRun: z.boolean().default(false),
  })
  .refine(({ documents, remove, pruneKinds }) => documents.length + remove.length + pruneKinds.length > 0, {
    message: 'wants a document, the name of an environment to remove, or a kind to prune',
    path: ['documents'],
  })
  .meta({ id: 'ApplyRequest' });

export const applyAnswerSchema = z
  .object({
    dryRun: z.boolean(),
    changes: z.array(
      z.object({
        environment: z.string(),
        change: z.enum(['created', 'changed', 'unchanged', 'removed']),
        version: z.int().nullable(),
        /** One line per difference: `gates.tests.timeout: 2m → 5m`. */
        differences: z.array(z.string()),
        /** Settings that count instead of what the definition says, with both. */
        overrides: z.array(z.string()),
      }),
    ),
    /** Of documents of `kind: Notification`. */
    channels: z.array(
      z.object({
        channel: z.string(),
        change: z.enum(['created', 'changed', 'unchanged', 'removed']),
        version: z.int().nullable(),
        differences: z.array(z.string()),
      }),
    ),
    /** Of documents of `kind: Registry`. */
    registries: z.array(
      z.object({
        registry: z.string(),
        change: z.enum(['created', 'changed', 'unchanged', 'removed']),
        version: z.int().nullable(),
        differences: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'ApplyAnswer' });

export const artifactRowSchema = z
  .object({
    environment: z.string(),
    target: z.string(),
    component: z.string(),
    /** Promised by the environment's current release; null when there is none. */
    promised: digestSchema.nullable(),
    /** Found by looking at the target now; null when nothing whole runs there. */
    observed: digestSchema.nullable(),
    isHealthy: z.boolean(),
    message: z.string(),
    release: z.string().nullable(),
  })
  .meta({ id: 'ArtifactRow' });

export const artifactListSchema = z.object({ items: z.array(artifactRowSchema) });
export const artifactQuerySchema = z.strictObject({ filter: z.string().max(200).optional() });
