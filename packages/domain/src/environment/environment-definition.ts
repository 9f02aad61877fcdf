/**
 * What an environment is, as `stella apply` has accepted it. A definition is data, versioned, and frozen with each
 * promotion by its hash. All durations are whole milliseconds.
 */
import type { Digest } from '../values/digest.ts';
import { digestOf } from '../values/digest.ts';
import { canonicalJson, type Json } from '../values/canonical-json.ts';
import type { DeployStrategy } from './deploy-strategy.ts';
import type { PlannedFreeze } from './freeze.ts';
import type { QuotaDefinition } from './quota.ts';
import type { TargetDefinition } from './target-definition.ts';

export const GATE_KINDS = ['http', 'command', 'approval', 'soak', 'window', 'dependency'] as const;
export type GateKind = (typeof GATE_KINDS)[number];

/** Gates that ask something outside and may need several attempts; the others have one evaluation and a deadline. */
export const ATTEMPT_GATE_KINDS = ['http', 'command'] as const satisfies readonly GateKind[];

export const SKIP_RULES = ['allowed', 'forbidden'] as const;
export type SkipRule = (typeof SKIP_RULES)[number];

interface GateCommon {
  /** Unique in its environment, `[a-z0-9-]{1,63}`. */
  readonly name: string;
  /** How long a `passed` verdict counts, from the moment it was given. Default 24 h. */
  readonly validForMs: number;
  /** Whether two people may step around it in an emergency; absent: as usual for its kind (`isSkippable`). */
  readonly skip?: SkipRule;
  /** A rollback asks it, too; absent: as usual for its kind (`gatesOf`). */
  readonly onRollback?: 'ask';
}

/** Timing of a gate with attempts; settings may change it while promotions wait. */
interface AttemptCommon extends GateCommon {
  /** Deadline of one attempt. Default 2 m. */
  readonly timeoutMs: number;
  /** Attempts after the first. Default 2. */
  readonly retryCount: number;
  /** Pause before the second attempt, doubled before each further one. Default 10 s. */
  readonly backoffMs: number;
  /** Within which it promises to answer; shown beside what is measured, and nothing else. Absent: no promise. */
  readonly slaMs?: number;
}

/** How often a service that needs time is asked again within one attempt, unless it is told. */
export const POLL_INTERVAL_MS = 5_000;

export interface CallbackTerms {
  /** Where the key is that signs question and verdict: `env:STELLA_SECRET_…` or `file:/…`. */
  readonly secret: string;
}

/** Asks an HTTP service per attempt, once or until it has an answer; it answers `{"verdict":"passed"|"failed","message"?}` with status 200. */
export interface HttpGateDefinition extends AttemptCommon {
  readonly kind: 'http';
  readonly url: string;
  /** Headers sent with each attempt. Never a secret: these are shown to viewers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The service may answer that it needs time, and is asked again after so long; absent: each attempt asks once. */
  readonly pollIntervalMs?: number;
  /** The service acknowledges the question, and calls back later with its signed verdict; absent: it answers at once, or is polled. */
  readonly callback?: CallbackTerms;
  /** Path at the service that tells whether it is well, asked by GET in probes; absent: HEAD of the URL. */
  readonly probe?: string;
}

/** Runs a program on the orchestrator's machine per attempt; exit code 0 is a yes, 1 a no. */
export interface CommandGateDefinition extends AttemptCommon {
  readonly kind: 'command';
  /** Absolute path of the program; no shell. */
  readonly program: string;
  readonly args: readonly string[];
  /** Absolute path that it runs in; null: the folder of the program. */
  readonly directory: string | null;
}

/** Gates that are asked, in attempts. */
export type AttemptGateDefinition = HttpGateDefinition | CommandGateDefinition;

/** Wants `count` distinct persons with the role `approver` on the environment; the requester never counts. */
export interface ApprovalGateDefinition extends GateCommon {
  readonly kind: 'approval';
  readonly count: number;
  /** Persons who may approve, by subject; null: everybody with the role `approver` on the environment. */
  readonly group: readonly string[] | null;
  /** From the start of evaluation. Default 24 h. */
  readonly deadlineMs: number;
}

/** Wants the release to have run, completed and healthy, for `durationMs` in every named predecessor. */
export interface SoakGateDefinition extends GateCommon {
  readonly kind: 'soak';
  readonly durationMs: number;
  /** Names of environments; a subset of `promotesFrom`. */
  readonly environments: readonly string[];
  /** From the start of evaluation. Default: the duration + 24 h. */
  readonly deadlineMs: number;
}

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Times of a week in the gate's zone. `to` that is not after `from` is of the next day. */
export interface WeeklyTimes {
  readonly days: readonly Weekday[];
  /** `HH:MM`. */
  readonly from: string;
  /** `HH:MM`, or `24:00`; not part of it. */
  readonly to: string;
}

/** Wants the time to be within one of `allow`, and the environment not to be frozen. */
export interface WindowGateDefinition extends GateCommon {
  readonly kind: 'window';
  /** IANA name, `Europe/Berlin`. */
  readonly zone: string;
  /** Empty: at any time that no freeze forbids. */
  readonly allow: readonly WeeklyTimes[];
  /** From the start of evaluation. Default 7 d. */
  readonly deadlineMs: number;
}

export const REQUIRED_STATES = ['runs', 'idle'] as const;
export type RequiredState = (typeof REQUIRED_STATES)[number];

/** `runs`: the environment runs a release, whole. `idle`: no promotion there is past its gates and has not ended. */
export interface DependencyRequirement {
  /** Another environment. */
  readonly environment: string;
  readonly state: RequiredState;
  /** The release that runs there has this component; null: whatever it has. Null for `idle`. */
  readonly component: string | null;
  /** Name of the release that runs there at least; null: the one that is promoted. Null for `idle`. */
  readonly release: string | null;
}

/** Wants all of `requires` to hold at the same moment. */
export interface DependencyGateDefinition extends GateCommon {
  readonly kind: 'dependency';
  readonly requires: readonly DependencyRequirement[];
  /** From the start of evaluation. Default 24 h. */
  readonly deadlineMs: number;
}

export type GateDefinition =
  | AttemptGateDefinition
  | ApprovalGateDefinition
  | SoakGateDefinition
  | WindowGateDefinition
  | DependencyGateDefinition;

export const ON_FAILURE = ['rollback', 'hold'] as const;
export type OnFailure = (typeof ON_FAILURE)[number];

export const PRECHECK_MODES = ['required', 'warn'] as const;
export type PrecheckMode = (typeof PRECHECK_MODES)[number];

/** `latest`: a promotion before its deploy makes way for a newer one that carries all of its components. */
export const QUEUE_MODES = ['fifo', 'latest'] as const;
export type QueueMode = (typeof QUEUE_MODES)[number];

/** Whether one promotion at a time changes the environment, or one for each of its components. */
export const CONCURRENCY_MODES = ['exclusive', 'per_component'] as const;
export type ConcurrencyMode = (typeof CONCURRENCY_MODES)[number];

export interface EnvironmentDefinition {
  readonly name: string;
  /** A release must have completed in each of these before it may enter. Empty: any release may enter. */
  readonly promotesFrom: readonly string[];
  readonly gates: readonly GateDefinition[];
  readonly targets: readonly TargetDefinition[];
  readonly onFailure: OnFailure;
  readonly precheck: PrecheckMode;
  readonly queue: QueueMode;
  /** Count live: those of the newest version hold promotions of every version. */
  readonly freezes: readonly PlannedFreeze[];
  /** Of the environment as it is now, not frozen with promotions: changed only while no lock is live. */
  readonly concurrency: ConcurrencyMode;
  /** Bounds preflight, deploy and verify together, and once more the rollback: the time under lock. Default 15 m. */
  readonly deployDeadlineMs: number;
  /** Absent: all targets at once. */
  readonly strategy?: DeployStrategy;
  /** Count live, as freezes do; absent: promotions start as their turn comes. */
  readonly quotas?: QuotaDefinition;
}

/** Such a gate may be asked several times; the others have one evaluation and a deadline. */
export function hasAttempts(gate: GateDefinition): gate is AttemptGateDefinition {
  return isAttemptKind(gate.kind);
}

export function isAttemptKind(kind: GateKind): boolean {
  return ATTEMPT_GATE_KINDS.some((one) => one === kind);
}

/** What the dependencies of all its gates ask for. */
export function requirementsOf({ gates }: Pick<EnvironmentDefinition, 'gates'>): readonly DependencyRequirement[] {
  return gates.flatMap((gate) => (gate.kind === 'dependency' ? gate.requires : []));
}

/** What holds where a gate does not say it: persons are asked because they shall decide, so they are not stepped around. */
export function usualSkipRule(kind: GateKind): SkipRule {
  return kind === 'approval' ? 'forbidden' : 'allowed';
}

export function isSkippable(gate: GateDefinition): boolean {
  return (gate.skip ?? usualSkipRule(gate.kind)) === 'allowed';
}

/**
 * The hash that a verdict is bound to: the gate's meaning, without its timing and how it is probed, and without who may step around it, which
 * changes nothing of what is asked. The definition's hash, to which a skip is bound, holds all of it.
 */
export function gateMeaningHash(gate: GateDefinition): Digest {
  const { validForMs: _validFor, skip: _skip, ...rest } = gate;
  const timing = new Set(['timeoutMs', 'retryCount', 'backoffMs', 'deadlineMs', 'pollIntervalMs', 'slaMs', 'probe']);
  const meaning = Object.fromEntries(Object.entries(rest).filter(([key]) => !timing.has(key)));
  return digestOf(canonicalJson(meaning));
}

/**
 * The hash that freezes a definition with a promotion. What was added to definitions later is left out where it is the
 * default, so that the hash of a definition that was stored before stays what it was.
 */
export function definitionHash(definition: EnvironmentDefinition): Digest {
  const { queue, freezes, concurrency, ...rest } = definition;
  const hashed = {
    ...rest,
    ...(queue === 'fifo' ? {} : { queue }),
    ...(freezes.length === 0 ? {} : { freezes }),
    ...(concurrency === 'exclusive' ? {} : { concurrency }),
  };
  return digestOf(canonicalJson(hashed as unknown as Json));
}
