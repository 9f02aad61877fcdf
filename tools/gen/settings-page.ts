/** `docs/settings.md`: every runtime setting with its default, range and purpose. */
import { formatDuration, SETTING_KEYS, SETTINGS, type SettingKey } from '@stella/domain';
import { cell, generatedNote, table } from './markdown.ts';

export function renderSettingsPage(): string {
  return `${[
    '# Settings',
    generatedNote('packages/domain/src/settings/settings.ts'),
    'Durations are written with units, such as `90s`, `5m`, `1h30m` or `2d`; counts and bytes are whole numbers.',
    'Changed while the server runs, and read by everything at once: `stella orch config set locks.timeout 45s`. Without,',
    'what the server was started with counts (`STELLA_LOCKS_TIMEOUT=45s`), else the default.',
    table(['Setting', 'Unit', 'Default', 'From', 'To', 'Purpose'], SETTING_KEYS.map(settingRow)),
  ].join('\n\n')}\n`;
}

function settingRow(key: SettingKey): readonly string[] {
  const { unit, standard, min, max, purpose } = SETTINGS[key];
  const show = (value: number): string => (unit === 'duration' ? formatDuration(value) : value.toLocaleString('en'));
  return [`\`${key}\``, unit, show(standard), show(min), show(max), cell(purpose)];
}
