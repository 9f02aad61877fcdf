/**
 * What a look at something outside found: a gate's service, a target, a registry. Stages stand in the order in which they
 * were tried; after the first that failed the rest is `skipped`. A probe is harmless and never counts as an attempt.
 */
import type { InstantMs } from '../values/instant.ts';

/**
 * `path`, `rights`, `disk`, `fence`: of a directory or a program on the server's own machine. `engine`, `version`: of what
 * runs containers. `dns` to `answer`: of an address. A host over SSH has `dns`, `tcp`, `host_key`, `auth`, then `programs`,
 * `path` and `disk` of its own. A subject has only the stages that make sense for it.
 */
export const PROBE_STAGES = [
  'path',
  'rights',
  'engine',
  'version',
  'disk',
  'fence',
  'dns',
  'tcp',
  'host_key',
  'tls',
  'auth',
  'programs',
  'answer',
] as const;
export type ProbeStageName = (typeof PROBE_STAGES)[number];

export const PROBE_OUTCOMES = ['ok', 'failed', 'skipped'] as const;
export type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];

/** Why a stage is not `ok`; the part before the point is the stage's name, but for `probe.*`. */
export const PROBE_CODES = [
  'path.forbidden',
  'path.not_directory',
  'path.in_the_way',
  'path.missing',
  'rights.denied',
  'rights.read_only',
  'engine.down',
  'engine.denied',
  'engine.forbidden',
  'engine.in_the_way',
  'version.old',
  'disk.full',
  'disk.error',
  'fence.unreadable',
  'dns.not_found',
  'dns.timeout',
  'dns.failed',
  'tcp.refused',
  'tcp.timeout',
  'tcp.forbidden',
  'tcp.unreachable',
  'tcp.failed',
  'host_key.unknown',
  'host_key.changed',
  'host_key.revoked',
  'host_key.unreadable',
  'programs.missing',
  'tls.untrusted',
  'tls.expired',
  'tls.wrong_name',
  'tls.timeout',
  'tls.failed',
  'auth.refused',
  'auth.secret_missing',
  'answer.timeout',
  'answer.status',
  'answer.bad',
  'answer.reset',
  'answer.missing',
  /** The stage before it failed, or it does not apply. */
  'probe.skipped',
  /** The whole probe ran out of time before this stage. */
  'probe.timeout',
  'probe.error',
] as const;
export type ProbeCode = (typeof PROBE_CODES)[number];

export interface ProbeStage {
  readonly stage: ProbeStageName;
  readonly outcome: ProbeOutcome;
  /** Rounded to whole milliseconds; 0 when skipped. */
  readonly durationMs: number;
  /** Null when ok. */
  readonly code: ProbeCode | null;
  /** For people; never a secret, a header or a body. */
  readonly detail: string;
  /** Of `tls`: end of the certificate's validity. */
  readonly expiresAtMs?: InstantMs;
}

export const PROBE_SUBJECT_KINDS = ['target', 'gate', 'registry'] as const;
export type ProbeSubjectKind = (typeof PROBE_SUBJECT_KINDS)[number];

export interface ProbeSubject {
  readonly kind: ProbeSubjectKind;
  readonly environment: string;
  /** Of the gate or target; for a registry its host (`registry.example:5000`) or the directory of its layouts. */
  readonly name: string;
}

/** The newest of each subject is kept. */
export interface ProbeReport {
  readonly subject: ProbeSubject;
  /** By the database's clock, when it was stored. */
  readonly atMs: InstantMs;
  /** No stage failed. */
  readonly isOk: boolean;
  readonly stages: readonly ProbeStage[];
}

/** A report before it is stored. */
export type FreshProbe = Omit<ProbeReport, 'atMs'>;

export function makeFreshProbe(subject: ProbeSubject, stages: readonly ProbeStage[]): FreshProbe {
  return { subject, isOk: stages.every((stage) => stage.outcome !== 'failed'), stages };
}

/** The stage that failed; null when the subject is fine. */
export function failedStage({ stages }: Pick<ProbeReport, 'stages'>): ProbeStage | null {
  return stages.find((stage) => stage.outcome === 'failed') ?? null;
}

/** `gate tests@prod`, unique among subjects. */
export function formatProbeSubject({ kind, environment, name }: ProbeSubject): string {
  return `${kind} ${name}@${environment}`;
}
