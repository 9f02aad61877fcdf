/** Settings that are out of their range, or that nothing goes by; and those that beat a definition. */
import {
  type AnySettingKey,
  type EnvironmentDefinition,
  formatSetting,
  isGateSettingKey,
  overridesOf,
  partsOfGateKey,
  SETTING_KEYS,
  settingEntryOf,
  type Settings,
} from '@stella/domain';
import type { CheckFact } from '../check.ts';
import type { ConfigFlaw, Configured } from './config-flaw.ts';

/** Overrides that are named one by one. */
const NAMED_MAX = 20;

export function findSettingFlaws({ definitions, changes }: Configured): readonly ConfigFlaw[] {
  return changes.flatMap(({ key, value }): readonly ConfigFlaw[] => {
    if (value === null) return [];
    const message = flawOf(key, value, definitions);
    if (message === null) return [];
    const remedy = { text: 'take it back', command: `stella orch config unset ${key}` };
    return [{ status: 'warn', fact: { what: `setting ${key}`, value: message }, remedy }];
  });
}

function flawOf(key: AnySettingKey, value: number, definitions: readonly EnvironmentDefinition[]): string | null {
  // A row of another version of the program may hold any key.
  if (!isGateSettingKey(key) && !SETTING_KEYS.some((known) => known === key)) return 'this version does not know it';
  const { min, max, words } = settingEntryOf(key);
  if (value < min || value > max) {
    const range = words ? words.join(', ') : `${formatSetting(key, min)} to ${formatSetting(key, max)}`;
    return `${formatSetting(key, value)} is outside of ${range}`;
  }
  const parts = partsOfGateKey(key);
  if (parts === null) return null;
  const isUsed = definitions.some(
    ({ name, gates }) =>
      (parts.environment === null || parts.environment === name) &&
      gates.some((gate) => gate.name === parts.gate && 'retryCount' in gate),
  );
  return isUsed ? null : 'no gate goes by it: none of that name asks a service';
}

/** Not a mistake, but good to know for whoever reads only the files. */
export function overrideFacts(definitions: readonly EnvironmentDefinition[], settings: Settings): readonly CheckFact[] {
  return definitions
    .flatMap((definition) => overridesOf(definition, settings))
    .slice(0, NAMED_MAX)
    .map(({ environment, gate, key, value, declared }) => ({
      what: `${environment}/${gate}`,
      value: `the setting ${key} = ${value} beats the ${declared} of its definition`,
    }));
}
