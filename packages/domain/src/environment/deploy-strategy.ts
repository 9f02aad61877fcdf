/**
 * How a deploy goes through the targets of an environment: all at once, some at a time, or a few first that are watched
 * for a while. Absent from a definition: all at once.
 */
import { formatDuration } from '../values/duration.ts';
import type { EnvironmentDefinition } from './environment-definition.ts';

export const STRATEGY_KINDS = ['all_at_once', 'rolling', 'canary'] as const;
export type StrategyKind = (typeof STRATEGY_KINDS)[number];

/** In the order of the definition so many targets at a time; each batch is verified before the next one begins. */
export interface RollingStrategy {
  readonly kind: 'rolling';
  /** Targets of one batch, at least 1: so many may be without a healthy release at a moment. */
  readonly maxUnavailable: number;
}

/** A number in the JSON of an answer, or a text that is one, as Prometheus writes it. */
export interface JudgedValue {
  /** RFC 6901: `/data/result/0/value/1`. */
  readonly pointer: string;
  /** Inclusive; at least one of both is there. */
  readonly min?: number;
  readonly max?: number;
}

/** What is asked while a canary soaks: a health check, or a query of metrics. */
export interface CanaryJudge {
  readonly url: string;
  /** Without `value` any other status is a no; with it, any other status is no answer. */
  readonly expectStatus: number;
  /** Deadline of one question. */
  readonly timeoutMs: number;
  /** From an answer to the next question. */
  readonly intervalMs: number;
  /** Questions that may be answered with a no, or not at all; one more ends the deploy. */
  readonly failuresAllowed: number;
  readonly value?: JudgedValue;
}

/** These targets first; when the judge is content for the whole soak, all others. */
export interface CanaryStrategy {
  readonly kind: 'canary';
  /** Names of targets of the environment: some, and not all. */
  readonly targets: readonly string[];
  readonly soakMs: number;
  readonly judge: CanaryJudge;
}

/** `all_at_once` is never kept in a definition: it is the absence of a strategy. */
export type DeployStrategy = RollingStrategy | CanaryStrategy;

/** A soak asks no more often, so that the trace of a promotion stays readable. */
export const JUDGE_QUESTIONS_MAX = 200;

export function strategyKindOf({ strategy }: Pick<EnvironmentDefinition, 'strategy'>): StrategyKind {
  return strategy?.kind ?? 'all_at_once';
}

/** Why a soak cannot end within the time of the deploy, or asks too often; null: it fits. */
export function refuseSoak({ soakMs, judge }: CanaryStrategy, deployDeadlineMs: number): string | null {
  const { timeoutMs, intervalMs } = judge;
  const questionCount = Math.ceil(soakMs / intervalMs) + 1;
  if (questionCount > JUDGE_QUESTIONS_MAX) {
    const least = formatDuration(Math.ceil(soakMs / (JUDGE_QUESTIONS_MAX - 1) / 1_000) * 1_000);
    return `${formatDuration(soakMs)} with a question every ${formatDuration(intervalMs)} make ${questionCount} questions, at most ${JUDGE_QUESTIONS_MAX} are asked: an interval of ${least} fits`;
  }
  const leastMs = soakMs + timeoutMs;
  if (leastMs < deployDeadlineMs) return null;
  return `${formatDuration(soakMs)} and the last answer of the judge (${formatDuration(timeoutMs)}) make ${formatDuration(leastMs)}, and deployDeadline is ${formatDuration(deployDeadlineMs)}: soak shorter, or raise it`;
}

export interface Batch {
  /** 1, 2, 3 … */
  readonly number: number;
  /** Names, in the order of the definition; at least one. */
  readonly targets: readonly string[];
  /** It soaks and is judged before the next one. */
  readonly isCanary: boolean;
}

/** `targets` are those that the release has something for. Every one is in exactly one batch. */
export function batchesOf(
  { strategy }: Pick<EnvironmentDefinition, 'strategy'>,
  targets: readonly string[],
): readonly Batch[] {
  if (strategy?.kind === 'canary') return canaryBatches(strategy, targets);
  const size = strategy?.maxUnavailable ?? Math.max(1, targets.length);
  const count = Math.ceil(targets.length / size);
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    targets: targets.slice(index * size, (index + 1) * size),
    isCanary: false,
  }));
}

/** With components, a release may have something for only some of them. */
function canaryBatches(strategy: CanaryStrategy, targets: readonly string[]): readonly Batch[] {
  const isFirst = (name: string): boolean => strategy.targets.includes(name);
  return [
    { targets: targets.filter(isFirst), isCanary: true },
    { targets: targets.filter((name) => !isFirst(name)), isCanary: false },
  ]
    .filter((batch) => batch.targets.length > 0)
    .map((batch, index) => ({ ...batch, number: index + 1 }));
}
