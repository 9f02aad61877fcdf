/** `docs/settings.md`: every runtime setting with its default, range and purpose. */
import {
  formatDuration,
  GATE_SETTINGS,
  type GateSetting,
  type GateSettingKey,
  QUOTA_NAMES,
  quotaKey,
  type QuotaName,
  SETTING_KEYS,
  settingEntryOf,
  type SettingEntry,
  SETTINGS,
  type SettingKey,
} from '@stella/domain';
import { cell, generatedNote, table } from './markdown.ts';

export function renderSettingsPage(): string {
  return `${[
    '# Settings',
    generatedNote('packages/domain/src/settings/settings.ts'),
    [
      'Durations are written with units, such as `90s`, `5m`, `1h30m` or `2d`; counts and bytes are whole numbers; words are',
      'written as they stand here.',
    ].join('\n'),
    [
      'Changed while the server runs, and read by everything at once: `stella orch config set locks.timeout 45s`.',
      'Without, what the server was started with counts (`STELLA_LOCKS_TIMEOUT=45s`), else the default.',
    ].join('\n'),
    table(['Setting', 'Unit', 'Default', 'From', 'To', 'Purpose'], SETTING_KEYS.map(settingRow)),
    '## Settings of gates',
    [
      'They beat what the definition of the gate says, in every environment that has a gate of that name, or in one:',
      '`stella orch config set environments.prod.gates.tests.timeout 5m`. Promotions that are held at the gate get new',
      'attempts when its time-out or its retries are raised.',
    ].join('\n'),
    table(['Setting', 'Unit', 'From', 'To', 'Purpose'], GATE_KEYS.map(gateRow)),
    '## Settings of quotas',
    [
      'They beat what the definition of the environment says, and count at once for promotions that wait: best set with',
      '`stella orch quota limits set --env prod --per-day 30`.',
    ].join('\n'),
    table(['Setting', 'Unit', 'From', 'To', 'Purpose'], QUOTA_NAMES.map(quotaRow)),
    '## Time budget',
    [
      '`stella orch config list`, `get` and `set` show for each environment how long a promotion may take by what is declared:',
      'the precheck, the gate that takes longest (all are asked at once), and the deadline of the deploy. They warn when one',
      'gate alone may take longer than `stuck.after`, because somebody is then paged while all is as declared, and when the sum',
      'is over the objective of 30 minutes. Such a setting is taken all the same. `stella apply` names the settings that beat',
      'what it applies.',
    ].join('\n'),
  ].join('\n\n')}\n`;
}

// Its keys, all of them: it is a constant.
const GATE_KEYS = Object.keys(GATE_SETTINGS) as readonly GateSetting[];

function gateRow(setting: GateSetting): readonly string[] {
  const key: GateSettingKey = `gates.<name>.${setting}`;
  const { unit, min, max, purpose } = GATE_SETTINGS[setting];
  const show = (value: number): string => (unit === 'duration' ? formatDuration(value) : String(value));
  return [`\`${key}\``, unit, show(min), show(max), cell(purpose)];
}

function quotaRow(name: QuotaName): readonly string[] {
  const { unit, min, max, purpose } = settingEntryOf(quotaKey('prod', name));
  const show = (value: number): string => value.toLocaleString('en');
  return [`\`environments.<name>.quotas.${name}\``, unit, show(min), show(max), cell(purpose)];
}

function settingRow(key: SettingKey): readonly string[] {
  const { unit, standard, min, max, words, purpose }: SettingEntry & { readonly standard: number } = SETTINGS[key];
  if (words) return [`\`${key}\``, unit, words[standard] ?? '', words.join(' or '), '', cell(purpose)];
  const show = (value: number): string => (unit === 'duration' ? formatDuration(value) : value.toLocaleString('en'));
  return [`\`${key}\``, unit, show(standard), show(min), show(max), cell(purpose)];
}
