/** Settings as the API shows them: values in the words in which they are written. */
import type { Answer } from '@stella/contract';
import { formatSetting, type SettingKey, SETTINGS, type Settings, STANDARD_SETTINGS, toRfc3339 } from '@stella/domain';
import type { SettingChange } from '../../ports/read-store.ts';
import { presentActor, presentInstant } from './values.ts';

type Setting = Answer<'getSetting'>;

/** `change`: the last one; null when it was never changed. */
export function presentSetting(key: SettingKey, started: Settings, change: SettingChange | null): Setting {
  const { unit, min, max, purpose } = SETTINGS[key];
  const isSet = change !== null && change.value !== null;
  const isStandard = started[key] === STANDARD_SETTINGS[key];
  return {
    key,
    value: formatSetting(key, change?.value ?? started[key]),
    source: isSet ? 'set' : isStandard ? 'default' : 'start',
    default: formatSetting(key, STANDARD_SETTINGS[key]),
    min: formatSetting(key, min),
    max: formatSetting(key, max),
    unit,
    purpose,
    version: change?.version ?? 0,
    changedAt: presentInstant(change?.changedAtMs ?? null),
    changedBy: change ? presentActor(change.changedBy) : null,
  };
}

export function presentSettingChange(change: SettingChange): Answer<'listSettingChanges'>['items'][number] {
  return {
    version: change.version,
    value: change.value === null ? null : formatSetting(change.key, change.value),
    changedAt: toRfc3339(change.changedAtMs),
    changedBy: presentActor(change.changedBy),
    reason: change.reason,
  };
}
