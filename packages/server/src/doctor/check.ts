/**
 * What a check of the doctor is: it looks, and never changes anything. To add one, write a file in `checks/` and a line in
 * `checks.ts`; route, command line and formats come with it.
 */
import type { Settings } from '@stella/domain';
import type { AuditStore } from '../ports/audit-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Diagnoser } from '../ports/diagnoser.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { NotificationReads } from '../ports/notification-store.ts';
import type { ReadStore } from '../ports/read-store.ts';

/** `skip`: it does not apply here, or could not look. */
export const CHECK_STATUSES = ['pass', 'warn', 'fail', 'skip'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

/** The second part of a check's id. */
export const CHECK_CATEGORIES = ['orchestrator', 'storage'] as const;
export type CheckCategory = (typeof CHECK_CATEGORIES)[number];

export interface CheckFact {
  readonly what: string;
  readonly value: string;
}

export interface CheckFinding {
  readonly status: CheckStatus;
  /** One line. */
  readonly message: string;
  readonly facts: readonly CheckFact[];
  /** What helps, and the exact command where one does; null when nothing is to be done. */
  readonly remedy: { readonly text: string; readonly command: string | null } | null;
}

/** What checks may look through. */
export interface DoctorDeps {
  readonly audit: AuditStore;
  readonly reads: Pick<
    ReadStore,
    | 'listEnvironments'
    | 'listLocks'
    | 'listQuotas'
    | 'listSettings'
    | 'listWorkers'
    | 'readFacts'
    | 'readGateStats'
    | 'readMonitoring'
  >;
  readonly diagnoser: Pick<Diagnoser, 'diagnoseStalled'>;
  readonly notifications: Pick<NotificationReads, 'listChannels'>;
  readonly clock: Clock;
  /** With which this server was started; what `orch config` says goes above them. */
  readonly settings: Settings;
  readonly fileSystem: Pick<FileSystem, 'statfs'>;
  /** Of this server, on this machine. */
  readonly dataDir: string;
  readonly about: { readonly version: string; readonly isEmbedded: boolean };
}

export interface Check {
  /** `check.<category>.<what>` */
  readonly id: `check.${CheckCategory}.${string}`;
  readonly title: string;
  /** Why it matters. */
  readonly why: string;
  /** Ends soon after `signal` aborts. Whatever it throws is a `fail`. */
  look(deps: DoctorDeps, signal: AbortSignal): Promise<CheckFinding>;
}

export function passed(message: string, facts: readonly CheckFact[] = []): CheckFinding {
  return { status: 'pass', message, facts, remedy: null };
}

export function categoryOf({ id }: Pick<Check, 'id'>): CheckCategory | null {
  return CHECK_CATEGORIES.find((category) => id.startsWith(`check.${category}.`)) ?? null;
}
