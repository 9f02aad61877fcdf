/**
 * How a deploy goes through the targets of an environment: all at once, or some at a time. Absent from a definition: all at once.
 */
import type { EnvironmentDefinition } from './environment-definition.ts';

export const STRATEGY_KINDS = ['all_at_once', 'rolling'] as const;
export type StrategyKind = (typeof STRATEGY_KINDS)[number];

/** In the order of the definition so many targets at a time; each batch is verified before the next one begins. */
export interface RollingStrategy {
  readonly kind: 'rolling';
  /** Targets of one batch, at least 1: so many may be without a healthy release at a moment. */
  readonly maxUnavailable: number;
}

/** `all_at_once` is never kept in a definition: it is the absence of a strategy. */
export type DeployStrategy = RollingStrategy;

export function strategyKindOf({ strategy }: Pick<EnvironmentDefinition, 'strategy'>): StrategyKind {
  return strategy?.kind ?? 'all_at_once';
}

export interface Batch {
  /** 1, 2, 3 … */
  readonly number: number;
  /** Names, in the order of the definition; at least one. */
  readonly targets: readonly string[];
}

/** `targets` are those that the release has something for. Every one is in exactly one batch. */
export function batchesOf(
  { strategy }: Pick<EnvironmentDefinition, 'strategy'>,
  targets: readonly string[],
): readonly Batch[] {
  const size = strategy?.maxUnavailable ?? Math.max(1, targets.length);
  const count = Math.ceil(targets.length / size);
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    targets: targets.slice(index * size, (index + 1) * size),
  }));
}
