/**
 * Every metric of `/metrics`: name, kind, labels and what bounds their number. `docs/operating/metrics.md` is generated
 * from it, and alerts and dashboard may use no other name (`test/system/alerts`).
 */

import { CHANNEL_COUNT_MAX } from '@stella/domain';

export interface MetricDefinition {
  /** As Prometheus wants it: units last, counters end in `_total`. */
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** What bounds the number of series, for the reader who pays for them. */
  readonly bound: string;
  /** Of a histogram, in seconds. */
  readonly buckets?: readonly number[];
}

/** Stalled promotions that have a series of their own: the ones that stall for longest. */
export const STALLED_SERIES_MAX = 20;

/** Pairs of environment and gate that one process counts apart; later ones are counted together as `other`. */
export const GATE_SERIES_MAX = 1_000;

/** Environments whose quotas have series, in order of name. */
export const QUOTA_ENVIRONMENTS_MAX = 300;

/** Environments whose targets have series: those with trouble before others, so that the alerts see them, then by name. */
export const DRIFT_ENVIRONMENTS_MAX = 300;

/** Workers whose heartbeat has a series of its own. */
export const WORKER_SERIES_MAX = 100;

/** Channels that one process counts apart: as many as there may be, and some that were renamed. */
export const CHANNEL_SERIES_MAX = 200;

const ONE = 'one';
const PER_CHANNEL = `one per channel, at most ${CHANNEL_COUNT_MAX}`;
const ONE_OF_A_FEW = 'a fixed list';
const PER_QUOTA = `three per environment that has one, at most ${QUOTA_ENVIRONMENTS_MAX} environments`;
const PER_ENVIRONMENT = `one per environment, at most ${DRIFT_ENVIRONMENTS_MAX}`;
const PER_GATE = `one per gate and environment, at most ${GATE_SERIES_MAX}; the rest is \`other\``;

export const METRICS = {
  build: {
    name: 'stella_build_info',
    kind: 'gauge',
    help: '1; the version of this server.',
    labels: ['version'],
    bound: ONE,
  },
  promotions: {
    name: 'stella_promotions',
    kind: 'gauge',
    help: 'Live promotions by status.',
    labels: ['status'],
    bound: ONE_OF_A_FEW,
  },
  inProgress: {
    name: 'stella_promotions_in_progress',
    kind: 'gauge',
    help: 'Promotions that the machine works for, or that wait for a machine.',
    labels: [],
    bound: ONE,
  },
  stalled: {
    name: 'stella_promotions_stalled',
    kind: 'gauge',
    help: 'Promotions in progress without progress for longer than `stuck.after`. Whoever waits for a person, a turn or a time is not among them.',
    labels: [],
    bound: ONE,
  },
  stalledFor: {
    name: 'stella_promotion_stalled_seconds',
    kind: 'gauge',
    help: 'How long a stalled promotion has been without progress, with the first cause of its diagnosis; those that stall for longest.',
    labels: ['promotion', 'environment', 'cause'],
    bound: `at most ${STALLED_SERIES_MAX}, and only while they are stalled`,
  },
  duration: {
    name: 'stella_promotion_duration_seconds',
    kind: 'histogram',
    help: 'From the creation of a promotion to its end, by how it ended.',
    labels: ['status'],
    bound: ONE_OF_A_FEW,
    buckets: [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400],
  },
  rollbacksFailed: {
    name: 'stella_rollbacks_failed',
    kind: 'gauge',
    help: 'Environments whose last deployment is a rollback that failed: 1 for each, until something completes there.',
    labels: ['environment'],
    bound: 'one per such environment, at most 100',
  },
  setAside: {
    name: 'stella_promotions_set_aside',
    kind: 'gauge',
    help: 'Promotions that no worker could move in 5 attempts.',
    labels: [],
    bound: ONE,
  },
  dueAge: {
    name: 'stella_due_age_seconds',
    kind: 'gauge',
    help: 'How long the oldest due promotion has been unclaimed.',
    labels: [],
    bound: ONE,
  },
  gateEvaluations: {
    name: 'stella_gate_evaluations_total',
    kind: 'counter',
    help: 'Attempts of gates that this server made, by outcome.',
    labels: ['environment', 'gate', 'kind', 'outcome'],
    bound: PER_GATE,
  },
  gateTimeouts: {
    name: 'orchestrator_gate_timeout_total',
    kind: 'counter',
    help: 'Attempts of gates that had no answer within their time-out.',
    labels: ['environment', 'gate'],
    bound: PER_GATE,
  },
  gateDuration: {
    name: 'stella_gate_evaluation_duration_seconds',
    kind: 'histogram',
    help: 'How long attempts of gates took.',
    labels: ['kind'],
    bound: ONE_OF_A_FEW,
    buckets: [0.05, 0.25, 1, 5, 15, 60, 120, 300, 900],
  },
  debts: {
    name: 'stella_gate_debts_open',
    kind: 'gauge',
    help: 'Gates that were skipped and are still to pass for what runs.',
    labels: [],
    bound: ONE,
  },
  quotaUsed: {
    name: 'stella_quota_used',
    kind: 'gauge',
    help: 'Promotions that count against a quota: started in this hour or day, or in progress.',
    labels: ['environment', 'quota'],
    bound: PER_QUOTA,
  },
  quotaLimit: {
    name: 'stella_quota_limit',
    kind: 'gauge',
    help: 'Promotions that the quota allows now.',
    labels: ['environment', 'quota'],
    bound: PER_QUOTA,
  },
  quotaWaiting: {
    name: 'stella_quota_waiting',
    kind: 'gauge',
    help: 'Promotions that wait for a place in the quota.',
    labels: ['environment', 'quota'],
    bound: PER_QUOTA,
  },
  targetDrift: {
    name: 'stella_target_drift',
    kind: 'gauge',
    help: 'Targets that run another digest than the one that was last verified there.',
    labels: ['environment'],
    bound: PER_ENVIRONMENT,
  },
  targetUnseen: {
    name: 'stella_target_unseen',
    kind: 'gauge',
    help: 'Targets that could not be looked at the last time: whether they drift is not known.',
    labels: ['environment'],
    bound: PER_ENVIRONMENT,
  },
  targetLookAge: {
    name: 'stella_target_look_age_seconds',
    kind: 'gauge',
    help: 'Since a target was looked at between promotions, of the one for which it is longest; none before the first look.',
    labels: ['environment'],
    bound: PER_ENVIRONMENT,
  },
  locks: {
    name: 'stella_locks',
    kind: 'gauge',
    help: 'Live exclusive locks.',
    labels: [],
    bound: ONE,
  },
  lockWait: {
    name: 'stella_lock_wait_seconds',
    kind: 'histogram',
    help: 'From the end of the gates to the lock.',
    labels: [],
    bound: ONE,
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3_600],
  },
  workers: {
    name: 'stella_workers',
    kind: 'gauge',
    help: 'Workers whose lease holds.',
    labels: [],
    bound: ONE,
  },
  heartbeatAge: {
    name: 'stella_worker_heartbeat_age_seconds',
    kind: 'gauge',
    help: 'Since a live worker last renewed its lease; it renews every 5 s, and is dead after 15 s.',
    labels: ['worker', 'hostname'],
    bound: `one per live worker, at most ${WORKER_SERIES_MAX}`,
  },
  leaseRenewals: {
    name: 'stella_worker_lease_renewals_total',
    kind: 'counter',
    help: 'Leases that this server renewed.',
    labels: [],
    bound: ONE,
  },
  databaseUp: {
    name: 'stella_database_up',
    kind: 'gauge',
    help: '1 when the database answers this server.',
    labels: [],
    bound: ONE,
  },
  databaseWritable: {
    name: 'stella_database_writable',
    kind: 'gauge',
    help: '0 when the database takes no writes: a standby, or set to read only.',
    labels: [],
    bound: ONE,
  },
  databaseConnections: {
    name: 'stella_database_connections',
    kind: 'gauge',
    help: 'Connections of clients to the database, whoever made them.',
    labels: [],
    bound: ONE,
  },
  databaseConnectionsMax: {
    name: 'stella_database_connections_max',
    kind: 'gauge',
    help: 'How many the database takes.',
    labels: [],
    bound: ONE,
  },
  databaseSize: {
    name: 'stella_database_size_bytes',
    kind: 'gauge',
    help: 'Size of the database on its disk.',
    labels: [],
    bound: ONE,
  },
  clockSkew: {
    name: 'stella_clock_skew_seconds',
    kind: 'gauge',
    help: "How far this server's clock is ahead of the database's; it decides nothing, but its logs lie.",
    labels: [],
    bound: ONE,
  },
  unsequenced: {
    name: 'stella_events_unsequenced',
    kind: 'gauge',
    help: 'Events that are not in the global audit chain yet.',
    labels: [],
    bound: ONE,
  },
  violations: {
    name: 'stella_invariant_violations',
    kind: 'gauge',
    help: 'Rows that break a rule of safety or liveness, by property; 0 is how it must be.',
    labels: ['property'],
    bound: ONE_OF_A_FEW,
  },
  sweepAge: {
    name: 'stella_invariant_sweep_age_seconds',
    kind: 'gauge',
    help: 'Since the end of the last whole sweep of the audit; -1 before the first.',
    labels: [],
    bound: ONE,
  },
  deliveries: {
    name: 'stella_notification_attempts_total',
    kind: 'counter',
    help: 'Attempts of this server to tell people by a channel, by outcome; `dead`: it was the last one.',
    labels: ['channel', 'outcome'],
    bound: `one per channel and outcome, at most ${CHANNEL_SERIES_MAX} channels; the rest is \`other\``,
  },
  notificationsPending: {
    name: 'stella_notifications_pending',
    kind: 'gauge',
    help: 'Notices that are on their way to a channel, or wait for the next attempt.',
    labels: ['channel'],
    bound: PER_CHANNEL,
  },
  notificationsDead: {
    name: 'stella_notifications_dead',
    kind: 'gauge',
    help: 'Notices that were given up and are kept for `stella notify retry`.',
    labels: ['channel'],
    bound: PER_CHANNEL,
  },
  notificationAge: {
    name: 'stella_notification_oldest_pending_seconds',
    kind: 'gauge',
    help: 'How long the oldest pending notice of a channel has waited; 0 when none does.',
    labels: ['channel'],
    bound: PER_CHANNEL,
  },
  requests: {
    name: 'stella_http_request_duration_seconds',
    kind: 'histogram',
    help: 'API requests by route and status.',
    labels: ['route', 'status'],
    bound: 'routes × statuses that they answered',
    buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
