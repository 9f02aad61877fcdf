/** Settings as they are at this moment: what was set over what the server was started with. */
import type { Settings } from '@stella/domain';
import type { ReadStore, SettingChange } from './read-store.ts';

export async function readSettingsNow({
  reads,
  settings,
}: {
  readonly reads: Pick<ReadStore, 'listSettings'>;
  readonly settings: Settings;
}): Promise<Settings> {
  return settingsOver(settings, await reads.listSettings());
}

/** What was set, over what the server was started with; what was unset again counts as never set. */
export function settingsOver(started: Settings, changes: readonly SettingChange[]): Settings {
  const set = changes.flatMap(({ key, value }) => (value === null ? [] : [[key, value] as const]));
  return set.length === 0 ? started : { ...started, ...Object.fromEntries(set) };
}
