/** What runs: the release that `current` points to, if it is whole, wherever its directory is. */
import type { Current } from './current-link.ts';
import type { ReleaseName } from './files-place.ts';

/** Looks at a tree that is switched away and removed meanwhile. */
const LOOKS_MAX = 3;

export const NO_INDEX = 'its file index is missing';

export interface PlaceLooks {
  readCurrent(): Promise<Current>;
  /** In words, by reading every byte; null when the tree is whole. */
  findDifference(name: ReleaseName): Promise<string | null>;
}

export type WhatRuns =
  | { readonly name: ReleaseName }
  /** Nothing that was promised: `message` says why. */
  | { readonly name: null; readonly message: string };

export async function lookAtCurrent(looks: PlaceLooks): Promise<WhatRuns> {
  let message = '';
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const current = await looks.readCurrent();
    if (current.kind === 'nothing') return { name: null, message: 'nothing was deployed yet' };
    if (current.kind === 'foreign') return { name: null, message: `what runs is not a release: ${current.message}` };
    const { name } = current;
    const difference = await looks.findDifference(name);
    if (difference === null) return { name };
    message = `what runs is not whole: ${difference}`;
    if (isSame(await looks.readCurrent(), name)) break;
  }
  return { name: null, message };
}

function isSame(current: Current, name: ReleaseName): boolean {
  return current.kind === 'release' && current.name.text === name.text;
}
