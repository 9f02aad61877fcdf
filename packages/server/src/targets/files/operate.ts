/**
 * One operation at a `files` target, deploy or rollback, from its acceptance to its recorded answer. Whatever happens
 * before the switch is undone; from the switch on the operation goes to its end, also when nobody waits any more.
 */
import { join } from 'node:path';
import type { FilesTargetDefinition, Fence, ReleaseComponent } from '@stella/domain';
import type { OperationAnswer } from '../../ports/target.ts';
import type { CallScope } from '../call-scope.ts';
import { decideOperation } from '../fence-rules.ts';
import { hitFault, type TargetDeps } from '../target-deps.ts';
import { FencedOut, refusedAnswer, toOperationAnswer, toTargetError } from '../target-errors.ts';
import { acquireLock } from './apply-lock.ts';
import { readCurrent, switchCurrent } from './current-link.ts';
import type { UnpackLimits } from './entry-path.ts';
import { checkStillAccepted, readStoredPair, type StoredPair, storePair } from './fence-log.ts';
import { readIndex } from './file-index.ts';
import type { FilesPlace, ReleaseName } from './files-place.ts';
import { lookUpResult } from './look-up.ts';
import { readRecord, writeRecord } from './operation-record.ts';
import { placeRelease } from './place-release.ts';
import { removeLeftovers, removeOldReleases } from './remove-releases.ts';
import { findDifference } from './verify-tree.ts';

export interface OperationWish {
  readonly definition: FilesTargetDefinition;
  readonly verb: 'deploy' | 'rollback';
  readonly fence: Fence;
  readonly operationId: string;
  readonly component: ReleaseComponent;
  readonly limits: UnpackLimits;
}

/** `note` gets the answer as soon as it is final; tidying follows. Throws what stands before the acceptance. */
export async function operate(
  deps: TargetDeps,
  place: FilesPlace,
  wish: OperationWish,
  { scope, note }: { readonly scope: CallScope; readonly note: (answer: OperationAnswer) => void },
): Promise<OperationAnswer> {
  const { fence, operationId, definition } = wish;
  const early = decideOperation(await readStoredPair(deps, place), fence, operationId);
  if (early.kind === 'refused') return refusedAnswer(early.held);
  const recorded = early.kind === 'known' ? await readRecord(deps, place, wish) : null;
  if (recorded?.result) return recorded.result;
  await hitFault(deps, 'target.files.before_lock');
  const heldFence = async (): Promise<Fence | null> => (await readStoredPair(deps, place))?.fence ?? null;
  const lock = await acquireLock(deps, place, { target: definition.name, fence, heldFence }, scope);
  try {
    const stored = await storePair(deps, place, fence, operationId);
    if (stored.kind === 'refused') return refusedAnswer(stored.held);
    const ended = stored.kind === 'known' ? await lookUpResult(deps, place, wish) : null;
    if (ended) return ended;
    return await carryOut(deps, place, { ...wish, pair: stored.pair }, { scope, note });
  } finally {
    await lock.release();
  }
}

type AcceptedWish = OperationWish & { readonly pair: StoredPair };

/** Throws nothing but what the fault points do. */
async function carryOut(
  deps: TargetDeps,
  place: FilesPlace,
  wish: AcceptedWish,
  { scope, note }: { readonly scope: CallScope; readonly note: (answer: OperationAnswer) => void },
): Promise<OperationAnswer> {
  const progress: Progress = { release: null, isSwitched: false };
  let answer: OperationAnswer;
  try {
    const message = await apply(deps, place, wish, { scope, progress });
    answer = { outcome: 'succeeded', digest: wish.component.digest, message };
  } catch (error) {
    answer = await explain(deps, place, wish, { scope, progress, error });
  }
  await record(deps, place, wish, { release: progress.release, result: answer });
  await hitFault(deps, 'target.files.result_recorded');
  note(answer);
  if (answer.outcome === 'succeeded' && progress.release) {
    await tidy(deps, place, { wish, current: progress.release }, scope);
  }
  return answer;
}

interface Progress {
  /** The tree that is, or is going to be, what runs. */
  release: ReleaseName | null;
  isSwitched: boolean;
}

interface Work {
  readonly scope: CallScope;
  readonly progress: Progress;
}

/** Answers in words what was done. */
async function apply(
  deps: TargetDeps,
  place: FilesPlace,
  { definition, pair, component, limits, verb, fence, operationId }: AcceptedWish,
  { scope, progress }: Work,
): Promise<string> {
  await removeLeftovers(deps, place);
  const current = await readCurrent(deps, place);
  const running = current.kind === 'release' ? current.name : null;
  if (running?.digest === component.digest && (await isWhole(deps, place, running, scope))) {
    progress.release = running;
    await checkStillAccepted(deps, place, pair);
    return 'runs already and is whole';
  }
  const placeWish = { target: definition.name, pair, component, current: running, limits };
  const { name, message } = await placeRelease(deps, place, placeWish, scope);
  progress.release = name;
  await writeRecord(deps, place, { fence, operationId, verb, release: name, result: null });
  await hitFault(deps, 'target.files.intent_recorded');
  const onSwitched = (): void => {
    progress.isSwitched = true;
  };
  await switchCurrent(deps, place, { pair, name, onSwitched }, scope);
  return `${message}; switched`;
}

async function isWhole(deps: TargetDeps, place: FilesPlace, name: ReleaseName, scope: CallScope): Promise<boolean> {
  const index = await readIndex(deps, place, name);
  return index !== null && (await findDifference(deps, join(place.releases, name.text), index, scope)) === null;
}

/** An error → the answer. A newer fence explains everything else; after the switch nothing is a clear no. */
async function explain(
  deps: TargetDeps,
  place: FilesPlace,
  { definition, pair }: AcceptedWish,
  { scope, progress, error }: Work & { readonly error: unknown },
): Promise<OperationAnswer> {
  const target = definition.name;
  deps.logger.warn({ target, operationId: pair.operationId, error }, 'an operation of a target did not succeed');
  if (progress.isSwitched) {
    const { code, message } = toTargetError(error, target);
    return { outcome: 'errored', code, message: `switched, but then: ${message}` };
  }
  try {
    await checkStillAccepted(deps, place, pair);
    scope.check();
  } catch (reason) {
    if (reason instanceof FencedOut || scope.ending() !== null) return toOperationAnswer(reason, target);
  }
  return toOperationAnswer(error, target);
}

/** An answer that cannot be recorded is given all the same; a look-up then finds out by what runs. */
async function record(
  deps: TargetDeps,
  place: FilesPlace,
  { fence, operationId, verb, definition }: AcceptedWish,
  { release, result }: { readonly release: ReleaseName | null; readonly result: OperationAnswer },
): Promise<void> {
  try {
    await writeRecord(deps, place, { fence, operationId, verb, release, result });
  } catch (error) {
    deps.logger.warn({ target: definition.name, operationId, error }, 'the result of an operation was not recorded');
  }
}

/** Old trees that cannot be removed do not change what was achieved; the next operation tries again. */
async function tidy(
  deps: TargetDeps,
  place: FilesPlace,
  { wish, current }: { readonly wish: AcceptedWish; readonly current: ReleaseName },
  scope: CallScope,
): Promise<void> {
  const { fence, definition } = wish;
  try {
    await removeOldReleases(deps, place, { fence, current, keepCount: definition.keepCount }, scope);
  } catch (error) {
    deps.logger.warn({ target: definition.name, error }, 'old releases of a target could not be removed');
  }
}
