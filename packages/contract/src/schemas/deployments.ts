/** Rollbacks and deploys that are asked for, and what was deployed in an environment. */
import { ATTEMPT_OUTCOMES, ATTEMPT_PURPOSES, PROMOTION_KINDS, TARGET_KINDS } from '@stella/domain';
import { z } from 'zod';
import { environmentSchema } from './environments.ts';
import { lockSchema } from './orchestrator.ts';
import { promotionSchema } from './promotions.ts';
import {
  actorSchema,
  digestSchema,
  instantSchema,
  nameSchema,
  promotionStatusSchema,
  reasonSchema,
  referenceSchema,
} from './values.ts';

export const startRollbackSchema = z
  .strictObject({
    environment: nameSchema,
    /** Name or id; absent: the release that completed there before the current one. */
    release: referenceSchema.optional(),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'StartRollback' });

export const deployArtifactSchema = z
  .strictObject({
    environment: nameSchema,
    /** `sha256:…` of an artifact that a release has (or the start of it), or a whole reference. */
    artifact: z.string().min(1).max(1_500),
    /** Which component it is; absent: the only one there, or the one that it was in releases. */
    component: nameSchema.optional(),
    /** It need not have been in the predecessors; wants a reason, and the right of an operator. */
    isForced: z.boolean().default(false),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'DeployArtifact' });

export const artifactDetailQuerySchema = z.strictObject({
  /** `true`: looks whether the artifact is still there, now. */
  check: z.enum(['true', 'false']).default('false'),
});

export const artifactDetailSchema = z
  .object({
    digest: digestSchema,
    mediaType: z.string(),
    /** The newest 100 that have it, newest first. */
    releases: z.array(
      z.object({
        release: z.object({ id: z.string(), name: z.string() }),
        component: z.string(),
        /** That run it of this release, as last verified. */
        environments: z.array(z.string()),
      }),
    ),
    sources: z.array(
      z.object({
        source: z.string(),
        /** Null: it was not looked. */
        isPresent: z.boolean().nullable(),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: 'Artifact' });

/** `success`: completed. `failed`: ended otherwise. `running`: still changing targets, or verifying them. */
export const DEPLOYMENT_STATES = ['success', 'failed', 'running'] as const;

export const deploymentQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(10),
  status: z.enum(DEPLOYMENT_STATES).optional(),
});

export const deploymentSchema = z
  .object({
    promotionId: z.string(),
    kind: z.enum(PROMOTION_KINDS),
    /** A deploy that need not have been in the predecessors. */
    isForced: z.boolean(),
    release: z.object({ id: z.string(), name: z.string() }),
    /** What ran there before; null: nothing, or components of several releases. */
    over: z.string().nullable(),
    state: z.enum(DEPLOYMENT_STATES),
    status: promotionStatusSchema,
    requestedBy: actorSchema,
    startedAt: instantSchema,
    endedAt: instantSchema.nullable(),
    ending: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'Deployment' });

export const deploymentListSchema = z.object({
  environment: z.string(),
  now: instantSchema,
  items: z.array(deploymentSchema),
});

/**
 * `unverified`: something was done there since it was looked at. `other`: it runs what its environment does not promise.
 * `drifted`: likewise, and a promotion had seen there what is promised.
 */
export const LOOK_STATES = [
  'untouched',
  'changing',
  'as_promised',
  'other',
  'drifted',
  'unhealthy',
  'unverified',
] as const;

export const environmentStatusSchema = z
  .object({
    now: instantSchema,
    environment: environmentSchema,
    targets: z.array(
      z.object({
        target: z.string(),
        kind: z.enum(TARGET_KINDS),
        component: z.string(),
        /** By what the environment runs; null: nothing was ever verified there. */
        promised: digestSchema.nullable(),
        /** At the last look, of a promotion or between promotions. */
        seen: digestSchema.nullable(),
        state: z.enum(LOOK_STATES),
        message: z.string(),
        seenAt: instantSchema.nullable(),
        /** The last look between promotions; null: there was none yet. */
        observation: z
          .object({
            at: instantSchema,
            /** The server that looked. */
            by: z.string(),
            /** Why it saw nothing; empty when it did. */
            code: z.string(),
            message: z.string(),
            /** Since when no such look saw anything; null: the last one did. */
            unseenSince: instantSchema.nullable(),
            /** Since when the target runs other than what was verified there; null: it does not. */
            driftSince: instantSchema.nullable(),
          })
          .nullable(),
        /** The newest that changed it, or tried to; null: no promotion of late did. */
        operation: z
          .object({
            purpose: z.enum(ATTEMPT_PURPOSES),
            promotionId: z.string(),
            /** Of the promotion; a rollback that came by itself brings the base back. */
            release: z.string(),
            by: actorSchema,
            at: instantSchema,
            outcome: z.enum(ATTEMPT_OUTCOMES).nullable(),
            code: z.string(),
            message: z.string(),
          })
          .nullable(),
      }),
    ),
    locks: z.array(lockSchema),
    /** Live ones, newest first, at most 20. */
    promotions: z.array(promotionSchema),
  })
  .meta({ id: 'EnvironmentStatus' });
