/** Time budgets of environments, now and before a change. */
import type { Answer } from '@stella/contract';
import {
  budgetWarnings,
  describeEnvironmentBudget,
  type EnvironmentBudget,
  type EnvironmentDefinition,
  environmentBudgetOf,
  PROMOTION_SLO_MS,
  type Settings,
} from '@stella/domain';

type Presented = Answer<'listSettings'>['timeBudgets'][number];

export function presentTimeBudgets(definitions: readonly EnvironmentDefinition[], settings: Settings): Presented[] {
  return definitions.map((definition) => presentTimeBudget(environmentBudgetOf(definition, settings)));
}

/** Only of those whose sum, or what it is measured by, differs. */
export function presentMovedBudgets(
  definitions: readonly EnvironmentDefinition[],
  before: Settings,
  after: Settings,
): Answer<'changeSetting'>['timeBudgets'] {
  return definitions.flatMap((definition) => {
    const [was] = presentTimeBudgets([definition], before);
    const [is] = presentTimeBudgets([definition], after);
    if (was === undefined || is === undefined || JSON.stringify(was) === JSON.stringify(is)) return [];
    return [{ ...is, before: was }];
  });
}

function presentTimeBudget(budget: EnvironmentBudget): Presented {
  const { environment, totalMs, stuckAfterMs } = budget;
  return {
    environment,
    arithmetic: describeEnvironmentBudget(budget),
    totalMs,
    stuckAfterMs,
    objectiveMs: PROMOTION_SLO_MS,
    warnings: [...budgetWarnings(budget)],
  };
}
