/** Whether the attempts that gates are given fit into the time before somebody is paged for them. */
import {
  type AttemptTiming,
  describeWorstCase,
  environmentBudgetOf,
  formatDuration,
  PROMOTION_SLO_MS,
  retriesThatFit,
  type Settings,
  timeoutWithin,
  worstCaseMs,
} from '@stella/domain';
import type { EnvironmentRow } from '../../ports/read-store.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';
import { type Check, type CheckFinding, passed } from '../check.ts';

/** Gates over the budget that are named one by one. */
const NAMED_MAX = 20;

interface Timed {
  readonly environment: string;
  readonly gate: string;
  readonly timing: AttemptTiming;
}

export const timeBudget: Check = {
  id: 'check.orchestrator.time-budget',
  title: 'Attempts fit into the time budget',
  why: 'a gate that may take longer than stuck.after pages somebody while all is well, or hides a stall until then',
  async look(deps) {
    const [environments, settings] = await Promise.all([deps.reads.listEnvironments(), readSettingsNow(deps)]);
    return judge(timedGates(environments, settings), settings['stuck.after']);
  },
};

function timedGates(environments: readonly EnvironmentRow[], settings: Settings): readonly Timed[] {
  return environments.flatMap(({ definition }) =>
    environmentBudgetOf(definition, settings).gates.map((gate) => ({ environment: definition.name, ...gate })),
  );
}

function judge(gates: readonly Timed[], stuckAfterMs: number): CheckFinding {
  const over = gates.filter(({ timing }) => worstCaseMs(timing) > stuckAfterMs);
  const limit = { what: 'stuck.after', value: formatDuration(stuckAfterMs) };
  const [first] = over;
  if (!first) return passed(`${gates.length} gates fit into ${formatDuration(stuckAfterMs)}`, [limit]);
  const named = over
    .slice(0, NAMED_MAX)
    .map(({ environment, gate, timing }) => ({ what: `${environment}/${gate}`, value: describeWorstCase(timing) }));
  const breaksObjective = over.some(({ timing }) => worstCaseMs(timing) > PROMOTION_SLO_MS);
  return {
    status: breaksObjective ? 'fail' : 'warn',
    message: breaksObjective
      ? `${over.length} may take longer than stuck.after, and break the objective of ${formatDuration(PROMOTION_SLO_MS)}`
      : `${over.length} may take longer than stuck.after`,
    facts: [...named, limit],
    remedy: remedyFor(first, stuckAfterMs),
  };
}

/** Fewer attempts where that suffices, else shorter ones. */
function remedyFor({ environment, gate, timing }: Timed, limitMs: number): CheckFinding['remedy'] {
  const key = `environments.${environment}.gates.${gate}`;
  const retryCount = retriesThatFit(timing, limitMs);
  if (retryCount !== null) {
    const text = `give ${gate} fewer attempts: ${describeWorstCase({ ...timing, retryCount })}`;
    return { text, command: `stella orch config set ${key}.retries ${retryCount}` };
  }
  const timeout = formatDuration(timeoutWithin(limitMs));
  return {
    text: `wait shorter for ${gate}, and lower its retries`,
    command: `stella orch config set ${key}.timeout ${timeout}`,
  };
}
