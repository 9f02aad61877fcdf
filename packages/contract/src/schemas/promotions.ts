/** Promotions on the wire: in lists, as a whole, their gates and their events. */
import {
  ATTEMPT_OUTCOMES,
  ATTEMPT_PURPOSES,
  EVENT_TYPES,
  GATE_KINDS,
  GATE_RUN_STATES,
  TARGET_STATES,
  PROMOTION_KINDS,
} from '@stella/domain';
import { z } from 'zod';
import { stopSchema } from './environments.ts';
import { debtSchema, skipSchema } from './skips.ts';
import {
  actorSchema,
  digestSchema,
  instantSchema,
  nameSchema,
  pageQuerySchema,
  pageSchema,
  prioritySchema,
  promotionStatusSchema,
  reasonSchema,
  referenceSchema,
  stepSchema,
  stepStateSchema,
} from './values.ts';

export const promotionSchema = z
  .object({
    id: z.string(),
    release: z.object({ id: z.string(), name: z.string() }),
    environment: z.string(),
    kind: z.enum(PROMOTION_KINDS),
    status: promotionStatusSchema,
    step: stepSchema,
    priority: prioritySchema,
    requestedBy: actorSchema,
    createdAt: instantSchema,
    lastProgressAt: instantSchema,
    endedAt: instantSchema.nullable(),
  })
  .meta({ id: 'Promotion' });

export const promotionPageSchema = pageSchema(promotionSchema).meta({ id: 'PromotionPage' });

export const stepRunSchema = z.object({
  step: stepSchema,
  state: stepStateSchema,
  startedAt: instantSchema.nullable(),
  endedAt: instantSchema.nullable(),
  message: z.string(),
});

export const attemptSchema = z
  .object({
    operationId: z.string(),
    purpose: z.enum(ATTEMPT_PURPOSES),
    subject: z.string(),
    number: z.int(),
    fence: z.string().nullable(),
    startedAt: instantSchema,
    deadlineAt: instantSchema,
    /** Of a gate that calls back: when its service took the question. */
    acknowledgedAt: instantSchema.nullable(),
    /** The worker that brought the outcome; null while it is open, and when a callback or a rule ended it. */
    workerId: z.string().nullable(),
    /** Null while it is open. */
    outcome: z.enum(ATTEMPT_OUTCOMES).nullable(),
    code: z.string(),
    message: z.string(),
    digest: digestSchema.nullable(),
    endedAt: instantSchema.nullable(),
  })
  .meta({ id: 'Attempt' });

export const gateRunSchema = z
  .object({
    id: z.string(),
    gate: z.string(),
    kind: z.enum(GATE_KINDS),
    round: z.int(),
    state: z.enum(GATE_RUN_STATES),
    verdict: z.enum(['passed', 'failed']).nullable(),
    attemptCount: z.int(),
    attemptLimit: z.int(),
    message: z.string(),
    startedAt: instantSchema.nullable(),
    deadlineAt: instantSchema.nullable(),
    nextAttemptAt: instantSchema.nullable(),
    heldUntil: instantSchema.nullable(),
    dueAt: instantSchema.nullable(),
    verdictAt: instantSchema.nullable(),
    validUntil: instantSchema.nullable(),
    attempts: z.array(attemptSchema),
    approvals: z.array(
      z.object({
        subject: z.string(),
        decision: z.enum(['approved', 'rejected']),
        reason: z.string(),
        decidedAt: instantSchema,
      }),
    ),
    /** Asked for while this run was open; the last one counts. */
    skips: z.array(skipSchema),
  })
  .meta({ id: 'GateRun' });

/** A number of a gate, and what says it: `the definition`, or the setting that counts over it. */
const gateLimitSchema = z.object({ value: z.string(), source: z.string() });

/** A gate run with what bounds it and how its service has answered in the last day. */
export const timedGateRunSchema = gateRunSchema.extend({
  /** Null for gates with one evaluation. */
  limits: z
    .object({ timeout: gateLimitSchema, retries: gateLimitSchema, backoff: gateLimitSchema, holdFor: gateLimitSchema })
    .nullable(),
  /** What the service promises; null: nothing. */
  slaMs: z.int().nullable(),
  measured: z
    .object({
      attemptCount: z.int(),
      p50Ms: z.int().nullable(),
      p95Ms: z.int().nullable(),
      timeoutRate: z.number(),
      last: z.string(),
    })
    .nullable(),
});

export const gateRunListSchema = z.object({
  promotionId: z.string(),
  now: instantSchema,
  items: z.array(timedGateRunSchema),
});
export const gateRunQuerySchema = z.strictObject({ status: z.enum(GATE_RUN_STATES).optional() });

/** Everything about one promotion; `now` is the database's clock, for ages. */
export const promotionDetailSchema = promotionSchema
  .extend({
    version: z.int(),
    now: instantSchema,
    retryOf: z.string().nullable(),
    /** A deploy that need not have been in the predecessors. */
    isForced: z.boolean(),
    base: z.object({ id: z.string(), name: z.string() }).nullable(),
    definitionHash: digestSchema,
    ticket: z.int().nullable(),
    nextActionAt: instantSchema.nullable(),
    workerId: z.string().nullable(),
    claimEpoch: z.int(),
    /** No progress for longer than `stuck.after`, while in progress. */
    isStalled: z.boolean(),
    /** When it stalls or stalled; null unless in progress. */
    stallsAt: instantSchema.nullable(),
    cancelRequestedAt: instantSchema.nullable(),
    /** No worker could move it; it is looked at again at `nextActionAt`, or when somebody retries it. */
    setAside: z.object({ at: instantSchema, message: z.string() }).nullable(),
    /** Why nothing is deployed in its environment; null when all is well there, or when it has ended. */
    stop: stopSchema.nullable(),
    ending: z.object({ code: z.string(), message: z.string() }).nullable(),
    components: z.array(z.object({ name: z.string(), digest: digestSchema })),
    steps: z.array(stepRunSchema),
    gates: z.array(gateRunSchema),
    /** What it owes for the gates that it skipped. */
    debts: z.array(debtSchema),
    locks: z.array(z.object({ id: z.string(), resource: z.string(), fence: z.string(), acquiredAt: instantSchema })),
    /** What each target runs, as far as the attempts tell; in the order of the definition. */
    targets: z.array(
      z.object({
        name: z.string(),
        component: z.string(),
        /** From 1 on; all are in 1 when the definition has no strategy. */
        batch: z.int(),
        state: z.enum(TARGET_STATES),
        /** The release that is promoted, its base, or not known: also where nothing was begun, when the environment was not whole. */
        runs: z.enum(['new', 'old', 'unknown']),
      }),
    ),
    attempts: z.array(attemptSchema),
    /** Commands that would be accepted now, as they are typed. */
    possible: z.array(z.string()),
  })
  .meta({ id: 'PromotionDetail' });

export const promotionFilterSchema = z.strictObject({
  /** Statuses, separated by commas. */
  status: z.string().max(200).optional(),
  /** `promote`, `rollback`, `deploy`, separated by commas. */
  kind: z.string().max(80).optional(),
  environment: z.string().max(63).optional(),
  release: referenceSchema.optional(),
  /** A duration: no progress for longer than this. */
  olderThan: z.string().max(40).optional(),
  /** A duration: made within this long. */
  last: z.string().max(40).optional(),
});

export const promotionListQuerySchema = promotionFilterSchema.extend(pageQuerySchema.shape);
export const promotionCountSchema = z.object({ count: z.int() });
export const promotionActorsSchema = z
  .object({
    /** Most first. */
    items: z.array(z.object({ actor: actorSchema, count: z.int() })),
    /** There are more: only the newest 100,000 promotions are counted, and 500 actors shown. */
    isCut: z.boolean(),
  })
  .meta({ id: 'PromotionActors' });

export const createPromotionSchema = z
  .strictObject({
    release: referenceSchema,
    environment: nameSchema,
    priority: prioritySchema.default('normal'),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'CreatePromotion' });

export const decideApprovalSchema = z
  .strictObject({
    gate: nameSchema.optional(),
    /** Decides about the skip of this gate, not at a gate. */
    skip: nameSchema.optional(),
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'DecideApproval' });

export const skipGateSchema = z
  .strictObject({ reason: reasonSchema.min(1), dryRun: z.boolean().default(false) })
  .meta({ id: 'SkipGate' });

export const promotionCommandSchema = z
  .strictObject({ reason: reasonSchema.default(''), dryRun: z.boolean().default(false) })
  .meta({ id: 'PromotionCommand' });

export const changePrioritySchema = z
  .strictObject({
    priority: prioritySchema,
    reason: reasonSchema.default(''),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'ChangePriority' });

export const eventSchema = z
  .object({
    /** Place in the global chain; null while it is not there yet. */
    seq: z.int().nullable(),
    chainHash: digestSchema.nullable(),
    promotionId: z.string().nullable(),
    promotionSeq: z.int().nullable(),
    type: z.enum(EVENT_TYPES),
    actor: actorSchema,
    subject: z.string(),
    data: z.json(),
    at: instantSchema,
    hash: digestSchema,
  })
  .meta({ id: 'Event' });

export const eventListSchema = z.object({ items: z.array(eventSchema) });
export const traceQuerySchema = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(5_000).default(5_000),
});
export const streamQuerySchema = z.strictObject({
  /** Replays what came after this place; default: only what comes. The header `Last-Event-ID` counts more. */
  after: z.coerce.number().int().min(0).optional(),
  promotion: referenceSchema.optional(),
});
