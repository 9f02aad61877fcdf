/** Settings of gates that say something else than the definition that was applied: they count, whatever the file says. */
import { hasAttempts } from '../environment/environment-definition.ts';
import type { EnvironmentDefinition } from '../environment/environment-definition.ts';
import { formatDuration } from '../values/duration.ts';
import { GATE_SETTINGS, type GateSetting, type GateSettingKey } from './gate-settings.ts';
import { formatSetting, type Settings } from './settings.ts';

export interface SettingOverride {
  readonly environment: string;
  readonly gate: string;
  readonly key: GateSettingKey;
  /** As it is written: what counts, and what the definition says in vain. */
  readonly value: string;
  readonly declared: string;
}

// Its keys, all of them: it is a constant.
const TIMINGS = Object.keys(GATE_SETTINGS) as readonly GateSetting[];

/** In the order of the gates. */
export function overridesOf(
  { name, gates }: Pick<EnvironmentDefinition, 'name' | 'gates'>,
  settings: Settings,
): readonly SettingOverride[] {
  return gates.flatMap((gate) => {
    if (!hasAttempts(gate)) return [];
    const declared = { timeout: gate.timeoutMs, retries: gate.retryCount, backoff: gate.backoffMs };
    return TIMINGS.flatMap((timing): readonly SettingOverride[] => {
      const keys: readonly GateSettingKey[] = [
        `environments.${name}.gates.${gate.name}.${timing}`,
        `gates.${gate.name}.${timing}`,
      ];
      const key = keys.find((one) => settings[one] !== undefined);
      const value = key === undefined ? undefined : settings[key];
      if (key === undefined || value === undefined || value === declared[timing]) return [];
      const said = timing === 'retries' ? String(declared[timing]) : formatDuration(declared[timing]);
      return [{ environment: name, gate: gate.name, key, value: formatSetting(key, value), declared: said }];
    });
  });
}

/** `the setting gates.tests.timeout = 5m beats the 2m of this definition` */
export function describeOverride({ key, value, declared }: SettingOverride): string {
  return `the setting ${key} = ${value} beats the ${declared} of this definition`;
}
