/** Gate runs with what bounds them, what says so, and how their services have answered. */
import type { Answer } from '@stella/contract';
import {
  formatDuration,
  type GateDefinition,
  type GateSetting,
  type GateSettingKey,
  type PromotionSnapshot,
  withGateSettings,
  hasAttempts,
} from '@stella/domain';
import type { GateStats } from '../../ports/read-store.ts';
import { presentGateRuns } from './present-promotion.ts';

type TimedRun = Answer<'listGateRuns'>['items'][number];

/** The window of what is measured. */
export const MEASURED_LAST = '1d';

export function presentTimedGateRuns(snapshot: PromotionSnapshot, stats: readonly GateStats[]): TimedRun[] {
  const { promotion } = snapshot;
  return presentGateRuns(snapshot).map((run) => {
    const gate = promotion.definition.gates.find((one) => one.name === run.gate);
    const own = stats.find((one) => one.gate === run.gate && one.environment === promotion.environment);
    const isTimed = gate !== undefined && hasAttempts(gate);
    return {
      ...run,
      limits: gate === undefined ? null : limitsOf(gate, snapshot),
      slaMs: isTimed ? (gate.slaMs ?? null) : null,
      measured: own === undefined ? null : measuredOf(own),
    };
  });
}

function limitsOf(declared: GateDefinition, { promotion, settings }: PromotionSnapshot): TimedRun['limits'] {
  const gate = withGateSettings(declared, promotion.environment, settings);
  if (!hasAttempts(gate)) return null;
  const sourceOf = (setting: GateSetting): string => {
    const keys: readonly GateSettingKey[] = [
      `environments.${promotion.environment}.gates.${gate.name}.${setting}`,
      `gates.${gate.name}.${setting}`,
    ];
    return keys.find((key) => settings[key] !== undefined) ?? 'the definition';
  };
  return {
    timeout: { value: formatDuration(gate.timeoutMs), source: sourceOf('timeout') },
    retries: { value: String(gate.retryCount), source: sourceOf('retries') },
    backoff: { value: formatDuration(gate.backoffMs), source: sourceOf('backoff') },
    holdFor: { value: formatDuration(settings['gates.holdFor']), source: 'gates.holdFor' },
  };
}

function measuredOf({ attemptCount, openCount, timeoutCount, p50Ms, p95Ms }: GateStats): TimedRun['measured'] {
  const endedCount = attemptCount - openCount;
  const timeoutRate = endedCount === 0 ? 0 : timeoutCount / endedCount;
  return { attemptCount, p50Ms, p95Ms, timeoutRate, last: MEASURED_LAST };
}
