/**
 * The lock of one target: held while an operation is applied, so that operations come one after another. It works across
 * processes and is released by the holder's death.
 *
 * Safety does not rest on it, but on the fences: whoever takes it from a holder that only seemed to be gone (paused, on
 * another machine) has a newer fence. The lock spares work and lets a running operation end.
 *
 * `.stella/locks/<n>` is a symlink whose content describes holder n; `<n>.free` says that it is done. Only the highest n
 * counts. To take the lock is to claim n + 1 when n is free, dead, overdue, or fenced out for a while.
 */
import { join } from 'node:path';
import { AppError, compareFences, type Fence, formatFence, parseFence } from '@stella/domain';
import type { CallScope } from '../call-scope.ts';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import { claimName, listNames, readLink, removeName } from './durable-files.ts';
import type { FilesPlace } from './files-place.ts';
import { isRunning, type ProcessIdentity, readOwnIdentity } from './process-identity.ts';

/** Between two looks at a held lock. */
const POLL_INTERVAL_MS = 50;
/** A holder has undone its work this long after its deadline, or it hangs. */
const OVERDUE_AFTER_MS = 10_000;
/** A holder that was fenced out has noticed this long after, or it hangs. */
const FENCED_OUT_AFTER_MS = 2_000;
/** Old names kept, for callers that list them meanwhile. */
const KEPT_NAMES = 16;

export interface ApplyLock {
  /** Never throws: a lock that cannot be freed is overdue some time later. */
  release(): Promise<void>;
}

export interface LockWish {
  readonly target: string;
  readonly fence: Fence;
  /** The fence that the target holds now; null: none. */
  readonly heldFence: () => Promise<Fence | null>;
}

interface Holder {
  readonly fence: Fence | null;
  /** Unix milliseconds; its own deadline. */
  readonly untilMs: number;
  readonly process: ProcessIdentity | null;
}

/** Waits for the lock. Throws `target.busy` when the call's deadline comes first, `target.interrupted`. */
export async function acquireLock(
  deps: TargetDeps,
  place: FilesPlace,
  wish: LockWish,
  scope: CallScope,
): Promise<ApplyLock> {
  const own = await readOwnIdentity(deps);
  const untilMs = deps.clock.nowMs() + scope.timeoutMs;
  const content = JSON.stringify({ fence: formatFence(wish.fence), untilMs, process: own });
  const isFencedOut = makeFencedOutCheck(deps, wish);
  // Ends with the call at the latest.
  for (;;) {
    const top = await readTop(deps, place);
    const isFree = top.holder === null || !(await isLive(deps, top.holder, own)) || (await isFencedOut(top));
    if (isFree && (await claimNumber(deps, place, top.number + 1, content))) {
      await hitFault(deps, 'target.files.lock_taken');
      return { release: () => freeNumber(deps, place, top.number + 1) };
    }
    if (scope.ending() === 'deadline') {
      throw new AppError('target.busy', { details: { target: wish.target, deadlineMs: scope.timeoutMs } });
    }
    scope.check();
    if (!isFree) await scope.pause(POLL_INTERVAL_MS);
  }
}

/** Waits until nobody holds the lock, at most `waitMs` or until the call is over; says whether it is free. */
export async function waitForFreeLock(
  deps: TargetDeps,
  place: FilesPlace,
  scope: CallScope,
  waitMs: number,
): Promise<boolean> {
  const own = await readOwnIdentity(deps);
  const endsAtMs = deps.clock.monotonicMs() + waitMs;
  // Ends with the wait at the latest.
  for (;;) {
    const { holder } = await readTop(deps, place);
    if (holder === null || !(await isLive(deps, holder, own))) return true;
    if (deps.clock.monotonicMs() >= endsAtMs || scope.ending() !== null) return false;
    await scope.pause(POLL_INTERVAL_MS);
  }
}

interface Top {
  /** 0 when the lock was never taken. */
  readonly number: number;
  /** Null when it is free. */
  readonly holder: Holder | null;
}

async function readTop(deps: TargetDeps, place: FilesPlace): Promise<Top> {
  const names = await listNames(deps, place.locks);
  const number = Math.max(0, ...names.map(numberOf));
  if (number === 0 || names.includes(`${number}.free`)) return { number, holder: null };
  const content = await readLink(deps, join(place.locks, String(number)));
  return { number, holder: content === null ? null : parseHolder(content) };
}

function numberOf(name: string): number {
  return /^\d{1,15}(\.free)?$/.test(name) ? Number.parseInt(name, 10) : 0;
}

async function isLive(deps: TargetDeps, holder: Holder, own: ProcessIdentity | null): Promise<boolean> {
  if (deps.clock.nowMs() > holder.untilMs + OVERDUE_AFTER_MS) return false;
  return holder.process === null || (await isRunning(deps, holder.process, own)) !== false;
}

/** Says of a holder whether it has been fenced out since a while, counted from when this caller first saw it so. */
function makeFencedOutCheck({ clock }: TargetDeps, wish: LockWish): (top: Top) => Promise<boolean> {
  let seen: { readonly number: number; readonly sinceMs: number } | null = null;
  return async ({ number, holder }) => {
    if (!holder?.fence) return false;
    const held = await wish.heldFence();
    if (!held || compareFences(held, holder.fence) <= 0) return false;
    if (seen?.number !== number) seen = { number, sinceMs: clock.monotonicMs() };
    return clock.monotonicMs() - seen.sinceMs >= FENCED_OUT_AFTER_MS;
  };
}

/** True when this caller holds the lock now. A number that a slow caller claims late is not the highest: no lock. */
async function claimNumber(deps: TargetDeps, place: FilesPlace, number: number, content: string): Promise<boolean> {
  if (!(await claimName(deps, join(place.locks, String(number)), content))) return false;
  const top = await readTop(deps, place);
  if (top.number !== number || top.holder === null) return false;
  const names = await listNames(deps, place.locks);
  for (const name of names.filter((one) => numberOf(one) <= number - KEPT_NAMES)) {
    await removeName(deps, join(place.locks, name));
  }
  return true;
}

async function freeNumber(deps: TargetDeps, place: FilesPlace, number: number): Promise<void> {
  const held = join(place.locks, String(number));
  try {
    // On a full disk there is no room for another name, and the holder's own is given away. A caller that is late and
    // claims it again is told by the other name that it holds nothing.
    await claimName(deps, `${held}.free`, 'done').catch(() => deps.fileSystem.rename(held, `${held}.free`));
    await hitFault(deps, 'target.files.lock_released');
  } catch (error) {
    deps.logger.warn({ error, directory: place.root }, 'the lock of a target could not be freed');
  }
}

/** Our own JSON; what cannot be read was not written by us and holds nothing. */
function parseHolder(content: string): Holder | null {
  try {
    // Parsed field by field below.
    const value = JSON.parse(content) as { fence?: unknown; untilMs?: unknown; process?: unknown } | null;
    if (typeof value?.untilMs !== 'number') return null;
    return { fence: parseFence(String(value.fence)), untilMs: value.untilMs, process: parseProcess(value.process) };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function parseProcess(value: unknown): ProcessIdentity | null {
  // Parsed field by field below.
  const { pid, startedAt, bootId, pidNamespace } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof pid !== 'number' || typeof startedAt !== 'string') return null;
  if (typeof bootId !== 'string' || typeof pidNamespace !== 'string') return null;
  return { pid, startedAt, bootId, pidNamespace };
}
