/**
 * The accepted pairs of a target, kept so that no lock is needed for their safety (S4): one symlink per accepted pair in
 * `.stella/fences`, named `<fence>.<turn>`, whose content is `sealed` or `operation:<id>`. The highest name is the stored
 * pair. To store is to claim the name after the highest one; the kernel gives a name to one caller only, and a caller that
 * slept and claims a lower name has changed nothing. `ls -l .stella/fences` shows the history.
 *
 * A newer pair takes effect in two steps: its name is claimed, then every older operation's pending link is removed. An
 * operation makes its pending link first, then looks whether its pair is still the highest, then renames. Whatever the
 * order of the two, an operation that is not the newest finds a newer name or misses its link.
 */
import { join } from 'node:path';
import { compareFences, type Fence, formatFence, parseFence } from '@stella/domain';
import { decideOperation, decideSeal } from '../fence-rules.ts';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import { FencedOut } from '../target-errors.ts';
import { claimName, listNames, readLink, removeName, syncDirectory } from './durable-files.ts';
import { comparePairs, type FilesPlace, type PairOrder, parsePendingLink } from './files-place.ts';

type LogDeps = Pick<TargetDeps, 'fileSystem' | 'faults'>;

/**
 * Names kept. More than one, so that a caller that lists the directory while others store and remove still meets one of
 * the names that were there when it began.
 */
const KEPT_NAMES = 32;
/** Lost races of one call; each means that another caller stored a pair meanwhile. */
const RACES_MAX = 100;

export interface StoredPair extends PairOrder {
  /** Null after a seal. */
  readonly operationId: string | null;
}

/** The stored pair; null when the target never saw a fence. */
export async function readStoredPair(deps: LogDeps, place: FilesPlace): Promise<StoredPair | null> {
  for (let race = 0; race < RACES_MAX; race += 1) {
    const highest = (await listPairNames(deps, place)).at(-1);
    if (!highest) return null;
    const content = await readLink(deps, join(place.fences, highest.text));
    // Removed since, because higher ones came: look again.
    if (content === null) continue;
    const operationId = content.startsWith(OPERATION) ? content.slice(OPERATION.length) : null;
    return { fence: highest.fence, turn: highest.turn, operationId };
  }
  throw new Error(`the fences in ${place.fences} do not hold still`);
}

/** The newest operation accepted before `pair`, sealed over or not; null when there was none, or only long ago. */
export async function readLastOperation(
  deps: LogDeps,
  place: FilesPlace,
  pair: PairOrder,
): Promise<{ readonly fence: Fence; readonly operationId: string } | null> {
  const names = await listPairNames(deps, place);
  for (const { text, fence, turn } of names.toReversed()) {
    if (comparePairs({ fence, turn }, pair) >= 0) continue;
    const content = await readLink(deps, join(place.fences, text));
    if (content?.startsWith(OPERATION)) return { fence, operationId: content.slice(OPERATION.length) };
  }
  return null;
}

export type StoreAnswer =
  | { readonly kind: 'stored' | 'known'; readonly pair: StoredPair }
  | { readonly kind: 'refused'; readonly held: Fence };

/** Stores `(fence, operationId)`, for a seal `(fence, null)`, when the rules allow; durable when it answers `stored`. */
export async function storePair(
  deps: LogDeps,
  place: FilesPlace,
  fence: Fence,
  operationId: string | null,
): Promise<StoreAnswer> {
  for (let race = 0; race < RACES_MAX; race += 1) {
    const stored = await readStoredPair(deps, place);
    const decision = operationId === null ? decideSeal(stored, fence) : decideOperation(stored, fence, operationId);
    if (decision.kind === 'refused') {
      // Whoever stored the newer pair may be paused between its name and the links: what it has begun is finished here,
      // so that a refusal too means that nothing older can switch any more.
      if (stored) await removeOlderLinks(deps, place, stored);
      return decision;
    }
    const isSameFence = stored !== null && compareFences(stored.fence, fence) === 0;
    if (decision.kind === 'known' && stored) {
      await removeOlderLinks(deps, place, stored);
      return { kind: 'known', pair: stored };
    }
    const pair = { fence, operationId, turn: isSameFence ? stored.turn + 1 : 0 };
    if (!(await claimPair(deps, place, pair))) continue;
    const now = await readStoredPair(deps, place);
    if (now && comparePairs(now, pair) !== 0) {
      await removeOlderLinks(deps, place, now);
      return { kind: 'refused', held: now.fence };
    }
    await removeOlderLinks(deps, place, pair);
    await hitFault(deps, 'target.files.older_links_removed');
    await removeOldNames(deps, place);
    return { kind: 'stored', pair };
  }
  throw new Error(`the fences in ${place.fences} do not hold still`);
}

/** Throws `FencedOut` when the operation's pair is no longer the stored one. */
export async function checkStillAccepted(deps: LogDeps, place: FilesPlace, pair: StoredPair): Promise<void> {
  const stored = await readStoredPair(deps, place);
  if (!stored || comparePairs(stored, pair) !== 0) throw new FencedOut(stored?.fence ?? pair.fence);
}

async function claimPair(deps: LogDeps, place: FilesPlace, { fence, turn, operationId }: StoredPair): Promise<boolean> {
  const content = operationId === null ? 'sealed' : `${OPERATION}${operationId}`;
  const isClaimed = await claimName(deps, join(place.fences, `${formatFence(fence)}.${turn}`), content);
  if (!isClaimed) return false;
  await syncDirectory(deps, place.fences);
  await hitFault(deps, 'target.files.fence_stored');
  return true;
}

const OPERATION = 'operation:';
const PAIR_NAME = /^(\d{1,15}\.\d{1,15})\.(\d{1,9})$/;

interface PairName extends PairOrder {
  readonly text: string;
}

/** Oldest first. Names that are none of ours are passed over. */
async function listPairNames(deps: LogDeps, place: FilesPlace): Promise<readonly PairName[]> {
  const names: PairName[] = [];
  for (const text of await listNames(deps, place.fences)) {
    const match = PAIR_NAME.exec(text);
    const fence = parseFence(match?.[1] ?? '');
    if (fence) names.push({ fence, turn: Number(match?.[2]), text });
  }
  return names.sort(comparePairs);
}

async function removeOlderLinks(deps: LogDeps, place: FilesPlace, pair: PairOrder): Promise<void> {
  for (const name of await listNames(deps, place.state)) {
    const link = parsePendingLink(name);
    if (link && comparePairs(link, pair) < 0) await removeName(deps, join(place.state, name));
  }
}

async function removeOldNames(deps: LogDeps, place: FilesPlace): Promise<void> {
  const names = await listPairNames(deps, place);
  for (const { text } of names.slice(0, -KEPT_NAMES)) await removeName(deps, join(place.fences, text));
}
