/** What an environment runs, in a few words. */
import type { Answer } from '@stella/contract/client';

type Environment = Answer<'listEnvironments'>['items'][number];

/** `shop-2`; `2 releases` of which components are; `shop-2 (web)` while the others were never verified; `-` before the first. */
export function releaseWords({ release, components }: Pick<Environment, 'release' | 'components'>): string {
  if (release) return release.name;
  const verified = components.filter((one) => one.release !== null);
  const names = [...new Set(verified.map((one) => one.release?.name ?? ''))];
  const [only] = names;
  if (only === undefined) return '-';
  return names.length === 1
    ? `${only} (${verified.map((one) => one.component).join(', ')})`
    : `${names.length} releases`;
}
