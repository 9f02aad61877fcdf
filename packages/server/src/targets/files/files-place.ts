/**
 * Where everything is in the directory of a `files` target. Pure.
 *
 * ```
 * current                      symlink to releases/<name>: what runs
 * releases/<name>/             whole trees only; name = <64 hex of the component's digest>-<fence>-<random>
 * .stella/fences/              accepted pairs (`fence-log.ts`)
 * .stella/locks/               holders of the target's lock (`apply-lock.ts`)
 * .stella/operations/          what became of each operation (`operation-record.ts`)
 * .stella/indexes/<name>.json  what that tree looks like when it is whole (`file-index.ts`)
 * .stella/staging/, trash/     trees that are not whole yet, or no longer
 * .stella/pending-<fence>.<turn>-<operation>: a link; its rename over `current` is the switch
 * ```
 *
 * A tree gets a new name, with the fence of the operation, whenever it is about to be switched to, also when it is used
 * again. So no name that an older operation may have read is ever made `current` again, and an older operation that
 * wakes up while it tidies cannot remove what runs.
 */
import { join } from 'node:path';
import { AppError, compareFences, type Digest, type Fence, formatFence, parseDigest, parseFence } from '@stella/domain';

export interface FilesPlace {
  /** Real path of the target's directory. */
  readonly root: string;
  readonly current: string;
  readonly releases: string;
  readonly state: string;
  readonly fences: string;
  readonly locks: string;
  readonly operations: string;
  readonly indexes: string;
  readonly staging: string;
  readonly trash: string;
}

export function filesPlace(root: string): FilesPlace {
  const state = join(root, '.stella');
  return {
    root,
    current: join(root, 'current'),
    releases: join(root, 'releases'),
    state,
    fences: join(state, 'fences'),
    locks: join(state, 'locks'),
    operations: join(state, 'operations'),
    indexes: join(state, 'indexes'),
    staging: join(state, 'staging'),
    trash: join(state, 'trash'),
  };
}

/** Name of one unpacked tree. */
export interface ReleaseName {
  /** Of the component: of the index when there is one. */
  readonly digest: Digest;
  /** Of the operation that last meant to switch to it. */
  readonly fence: Fence;
  /** The name as it is on disk. */
  readonly text: string;
}

export function makeReleaseName(digest: Digest, fence: Fence, suffix: string): ReleaseName {
  return { digest, fence, text: `${digest.slice('sha256:'.length)}-${formatFence(fence)}-${suffix}` };
}

const RELEASE_NAME = /^([0-9a-f]{64})-(\d{1,15}\.\d{1,15})-[0-9a-f]{8}$/;

/** Null for a name that Stella did not give. */
export function parseReleaseName(text: string): ReleaseName | null {
  const match = RELEASE_NAME.exec(text);
  const fence = parseFence(match?.[2] ?? '');
  return match && fence ? { digest: parseDigest(`sha256:${match[1]}`), fence, text } : null;
}

/** What the links `current` and `pending-…` say; relative, so that the whole directory can be moved. */
export function releaseLink(name: ReleaseName): string {
  return `releases/${name.text}`;
}

/** Null for a link that Stella did not make. */
export function parseReleaseLink(link: string): ReleaseName | null {
  const [folder, name, ...rest] = link.split('/');
  return folder === 'releases' && rest.length === 0 ? parseReleaseName(name ?? '') : null;
}

/** One accepted pair in the order in which pairs were accepted. */
export interface PairOrder {
  readonly fence: Fence;
  /** Counts the pairs stored under one fence: sealed, then an operation, then perhaps sealed again. */
  readonly turn: number;
}

/** Negative when `a` was accepted before `b`, 0 when they are the same. */
export function comparePairs(a: PairOrder, b: PairOrder): number {
  return compareFences(a.fence, b.fence) || a.turn - b.turn;
}

export function pendingLinkName({ fence, turn }: PairOrder, operationId: string): string {
  return `pending-${formatFence(fence)}.${turn}-${operationId}`;
}

const PENDING_NAME = /^pending-(\d{1,15}\.\d{1,15})\.(\d{1,9})-/;

/** Null for a name that is no pending link. */
export function parsePendingLink(name: string): PairOrder | null {
  const match = PENDING_NAME.exec(name);
  const fence = parseFence(match?.[1] ?? '');
  return match && fence ? { fence, turn: Number(match[2]) } : null;
}

const OPERATION_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** May it be part of a file name? All ids of the domain may. Throws `input.invalid`. */
export function checkOperationId(operationId: string): void {
  if (OPERATION_ID.test(operationId)) return;
  const message = `"${operationId.slice(0, 100)}" is not an operation id; expected 1 to 128 letters, digits, "_", ".", "-"`;
  throw new AppError('input.invalid', { details: { message } });
}
