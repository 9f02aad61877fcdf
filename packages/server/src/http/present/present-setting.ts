/** Settings as the API shows them: values in the words in which they are written. */
import type { Answer } from '@stella/contract';
import { type AnySettingKey, formatSetting, settingEntryOf, type Settings, toRfc3339 } from '@stella/domain';
import type { SettingChange } from '../../ports/read-store.ts';
import { presentActor, presentInstant } from './values.ts';

type Setting = Answer<'listSettings'>['items'][number];

/** `change`: the last one; null when it was never changed. */
export function presentSetting(key: AnySettingKey, started: Settings, change: SettingChange | null): Setting {
  const { unit, standard, min, max, words, purpose } = settingEntryOf(key);
  const format = (value: number | null): string | null => (value === null ? null : formatSetting(key, value));
  return {
    key,
    value: format(change?.value ?? started[key] ?? null),
    source: sourceOf(key, started, change),
    default: format(standard),
    min: words ? null : formatSetting(key, min),
    max: words ? null : formatSetting(key, max),
    words: words ? [...words] : null,
    unit,
    purpose,
    version: change?.version ?? 0,
    changedAt: presentInstant(change?.changedAtMs ?? null),
    changedBy: change ? presentActor(change.changedBy) : null,
  };
}

function sourceOf(key: AnySettingKey, started: Settings, change: SettingChange | null): Setting['source'] {
  if (change !== null && change.value !== null) return 'set';
  const { standard } = settingEntryOf(key);
  if (standard === null) return 'definition';
  return started[key] === standard ? 'default' : 'start';
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
