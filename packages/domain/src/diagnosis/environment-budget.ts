/**
 * How long a promotion into an environment may take by what is declared, as a sum: looking, the gate that takes longest (all
 * are asked at once), and the deadline of what happens under its lock. A gate that alone takes longer than `stuck.after`
 * pages somebody while all is as declared, because only its verdict is progress. Times that people and calendars take are
 * no part of it: a promotion that waits for those is not in progress.
 */
import { hasAttempts } from '../environment/environment-definition.ts';
import type { EnvironmentDefinition } from '../environment/environment-definition.ts';
import { componentsOf } from '../environment/target-components.ts';
import { partsOfGateKey, withGateSettings } from '../settings/gate-settings.ts';
import type { AnySettingKey, Settings } from '../settings/settings.ts';
import { formatDuration } from '../values/duration.ts';
import { type AttemptTiming, describeWorstCase, PROMOTION_SLO_MS, worstCaseMs } from './time-budget.ts';

export interface BudgetedGate {
  readonly gate: string;
  readonly timing: AttemptTiming;
  readonly totalMs: number;
}

export interface EnvironmentBudget {
  readonly environment: string;
  /** Those with attempts, the longest first. */
  readonly gates: readonly BudgetedGate[];
  /** In which its targets and their artifacts are looked at, `limits.targetsAtOnce` at a time, for `probe.timeout` each. */
  readonly precheckRounds: number;
  readonly precheckMs: number;
  /** Preflight, deploy and verify together. */
  readonly deployMs: number;
  readonly totalMs: number;
  readonly stuckAfterMs: number;
}

export function environmentBudgetOf(
  {
    name,
    gates,
    targets,
    deployDeadlineMs,
  }: Pick<EnvironmentDefinition, 'name' | 'gates' | 'targets' | 'deployDeadlineMs'>,
  settings: Settings,
): EnvironmentBudget {
  const timed = gates
    .map((gate) => withGateSettings(gate, name, settings))
    .flatMap((gate): readonly BudgetedGate[] =>
      hasAttempts(gate) ? [{ gate: gate.name, timing: gate, totalMs: worstCaseMs(gate) }] : [],
    )
    .toSorted((a, b) => b.totalMs - a.totalMs);
  const probeCount = targets.length + new Set(targets.flatMap(componentsOf)).size;
  const precheckRounds = Math.ceil(probeCount / settings['limits.targetsAtOnce']);
  const precheckMs = precheckRounds * settings['probe.timeout'];
  return {
    environment: name,
    gates: timed,
    precheckRounds,
    precheckMs,
    deployMs: deployDeadlineMs,
    totalMs: precheckMs + (timed[0]?.totalMs ?? 0) + deployDeadlineMs,
    stuckAfterMs: settings['stuck.after'],
  };
}

/** Gates that alone take longer than `stuck.after`. */
export function gatesOverBudget({ gates, stuckAfterMs }: EnvironmentBudget): readonly BudgetedGate[] {
  return gates.filter(({ totalMs }) => totalMs > stuckAfterMs);
}

/** Whether the setting is a part of the environment's budget, or what that is measured by. */
export function isBudgetSetting(
  key: AnySettingKey,
  { name, gates }: Pick<EnvironmentDefinition, 'name' | 'gates'>,
): boolean {
  const parts = partsOfGateKey(key);
  if (parts === null) return key === 'stuck.after' || key === 'probe.timeout' || key === 'limits.targetsAtOnce';
  if (parts.environment !== null && parts.environment !== name) return false;
  return gates.some((gate) => gate.name === parts.gate && hasAttempts(gate));
}

/** `precheck 10s + tests (3 × 2m + 30s of pauses) + deploy 15m = 21m40s`; of many targets `precheck (11 × 10s) + …`. */
export function describeEnvironmentBudget(budget: EnvironmentBudget): string {
  const { gates, precheckRounds, precheckMs, deployMs, totalMs } = budget;
  const [longest] = gates;
  const precheck =
    precheckRounds === 1
      ? formatDuration(precheckMs)
      : `(${precheckRounds} × ${formatDuration(precheckMs / precheckRounds)})`;
  const summands = [
    `precheck ${precheck}`,
    ...(longest ? [`${longest.gate} (${attemptsOf(longest.timing)})`] : []),
    `deploy ${formatDuration(deployMs)}`,
  ];
  return `${summands.join(' + ')} = ${formatDuration(totalMs)}`;
}

/** What does not fit, one line each; empty when all does. */
export function budgetWarnings(budget: EnvironmentBudget): readonly string[] {
  const { totalMs, stuckAfterMs } = budget;
  const over = gatesOverBudget(budget).map(
    ({ gate, timing }) => `${gate}: ${describeWorstCase(timing)}, over stuck.after ${formatDuration(stuckAfterMs)}`,
  );
  if (totalMs <= PROMOTION_SLO_MS) return over;
  const objective = formatDuration(PROMOTION_SLO_MS);
  return [...over, `in all ${formatDuration(totalMs)}, over the objective of ${objective}`];
}

/** The same without its sum. */
function attemptsOf(timing: AttemptTiming): string {
  return describeWorstCase(timing).replace(/ = .*$/, '');
}
