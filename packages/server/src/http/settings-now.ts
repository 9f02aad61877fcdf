/** Settings as they are at this moment: what was set over what the server was started with. */
import type { Settings } from '@stella/domain';
import type { HttpDeps } from './route-handler.ts';

export async function readSettingsNow({ reads, settings }: Pick<HttpDeps, 'reads' | 'settings'>): Promise<Settings> {
  const set = (await reads.listSettings()).flatMap(({ key, value }) => (value === null ? [] : [[key, value] as const]));
  return set.length === 0 ? settings : { ...settings, ...Object.fromEntries(set) };
}
