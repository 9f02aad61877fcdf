/** The link `current`: what runs, and the one step that changes it. */
import { join } from 'node:path';
import type { TargetDeps } from '../target-deps.ts';
import { hitFault } from '../target-deps.ts';
import { hasErrno } from '../target-errors.ts';
import type { CallScope } from '../call-scope.ts';
import { claimName, readLink, removeName, syncDirectory } from './durable-files.ts';
import { checkStillAccepted, type StoredPair } from './fence-log.ts';
import { type FilesPlace, parseReleaseLink, pendingLinkName, type ReleaseName, releaseLink } from './files-place.ts';

export type Current =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'release'; readonly name: ReleaseName }
  /** Something that Stella did not put there; `message` says what. */
  | { readonly kind: 'foreign'; readonly message: string };

export async function readCurrent(deps: Pick<TargetDeps, 'fileSystem'>, place: FilesPlace): Promise<Current> {
  let link: string | null;
  try {
    link = await readLink(deps, place.current);
  } catch (error) {
    if (hasErrno(error, 'EINVAL')) return { kind: 'foreign', message: '"current" is not a symlink' };
    if (hasErrno(error, 'ENOTDIR')) return { kind: 'foreign', message: `"${place.root}" is not a directory` };
    throw error;
  }
  if (link === null) return { kind: 'nothing' };
  const name = parseReleaseLink(link);
  return name ? { kind: 'release', name } : { kind: 'foreign', message: `"current" points to "${link}"` };
}

/** After a crash the rename may have been seen but not be durable yet; this makes it so. */
export async function isCurrent(deps: TargetDeps, place: FilesPlace, name: ReleaseName): Promise<boolean> {
  const current = await readCurrent(deps, place);
  if (current.kind !== 'release' || current.name.text !== name.text) return false;
  await syncDirectory(deps, place.root);
  return true;
}

/**
 * Makes `current` point to the release, if the operation may still do so. The link is made first, then the fence is
 * looked at, then the link is renamed: an acceptance of something newer that comes between removes the link. Once the
 * rename was done it is done: `onSwitched` is called, and what follows is not undone. Throws `FencedOut`,
 * `target.interrupted` before the switch only.
 */
export async function switchCurrent(
  deps: TargetDeps,
  place: FilesPlace,
  {
    pair,
    name,
    onSwitched,
  }: { readonly pair: StoredPair; readonly name: ReleaseName; readonly onSwitched: () => void },
  scope: CallScope,
): Promise<void> {
  const link = join(place.state, pendingLinkName(pair, pair.operationId ?? ''));
  scope.check();
  if (!(await claimName(deps, link, releaseLink(name)))) {
    // Left by an earlier try of this same operation, which was killed.
    await removeName(deps, link);
    await claimName(deps, link, releaseLink(name));
  }
  try {
    await hitFault(deps, 'target.files.link_made');
    await checkStillAccepted(deps, place, pair);
    await hitFault(deps, 'target.files.fence_checked');
    scope.check();
    await deps.fileSystem.rename(link, place.current);
  } catch (error) {
    await removeName(deps, link);
    // The link is gone: somebody newer removed it, and this says who.
    if (hasErrno(error, 'ENOENT')) await checkStillAccepted(deps, place, pair);
    throw error;
  }
  onSwitched();
  await hitFault(deps, 'target.files.switched');
  await syncDirectory(deps, place.root);
  await hitFault(deps, 'target.files.switch_synced');
}
