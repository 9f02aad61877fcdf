/** Settings as they are at this moment: what was set over what the server was started with. */
import type { Settings } from '@stella/domain';
import type { ReadStore } from './read-store.ts';

export async function readSettingsNow({
  reads,
  settings,
}: {
  readonly reads: Pick<ReadStore, 'listSettings'>;
  readonly settings: Settings;
}): Promise<Settings> {
  const set = (await reads.listSettings()).flatMap(({ key, value }) => (value === null ? [] : [[key, value] as const]));
  return set.length === 0 ? settings : { ...settings, ...Object.fromEntries(set) };
}
