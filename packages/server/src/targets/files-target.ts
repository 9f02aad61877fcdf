/**
 * The `files` target: the layers of one component's artifact unpacked into a directory, switched by an atomic symlink.
 * Everything that it knows is in the directory (`files/files-place.ts`), so that any process may go on where another one
 * died. Safety rests on `files/fence-log.ts`.
 */
import { join } from 'node:path';
import type { FilesTargetDefinition } from '@stella/domain';
import type { Observation, ObserveAnswer, OperationAnswer, SealAnswer, Target, TargetCall } from '../ports/target.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { waitForFreeLock } from './files/apply-lock.ts';
import { readCurrent } from './files/current-link.ts';
import { type UnpackLimits, UNPACK_LIMITS } from './files/entry-path.ts';
import { readLastOperation, storePair } from './files/fence-log.ts';
import { readIndex } from './files/file-index.ts';
import { checkOperationId, type FilesPlace } from './files/files-place.ts';
import { lookAtCurrent, NO_INDEX, type WhatRuns } from './files/look-at-current.ts';
import { lookUpResult } from './files/look-up.ts';
import { ensurePlace, findPlace } from './files/open-place.ts';
import { operate, type OperationWish } from './files/operate.ts';
import { probePlace, readHolding } from './files/probe-place.ts';
import { findDifference } from './files/verify-tree.ts';
import { openFilesHostTarget } from './files-host-target.ts';
import { checkHealth } from './health-check.ts';
import { hitFault, type TargetDeps } from './target-deps.ts';
import { toErroredAnswer, toOperationAnswer } from './target-errors.ts';
import type { ProgramPlace } from './target-program.ts';

/** How long a seal waits for the operation that it ended to notice and to record its result. */
const SEAL_WAIT_MS = 2_000;

/** On this machine, or where `host` says. `limits` are for tests that must not fill a disk. */
export function openFilesTarget(
  definition: FilesTargetDefinition,
  environment: string,
  deps: TargetDeps,
  limits: UnpackLimits = UNPACK_LIMITS,
): Target {
  if (definition.host) return openFilesHostTarget(definition, environment, { deps, limits });
  const target = definition.name;
  const { clock } = deps;
  // Its own work is done without one; a health check may have a program.
  const programs: ProgramPlace = { definition, environment, host: deps.openHost(null, target) };
  const apply = (call: TargetCall, wish: Omit<OperationWish, 'definition' | 'limits'>): Promise<OperationAnswer> =>
    withinCall<OperationAnswer>(
      { call, clock, target },
      (error) => toOperationAnswer(error, target),
      async (scope, note) => {
        checkOperationId(wish.operationId);
        const place = await openPlace(deps, definition);
        return operate(deps, place, { ...wish, definition, limits }, { scope, note });
      },
    );
  return {
    probe: (call) => probePlace(deps, { definition, host: programs.host }, call),
    observe: (call) =>
      withinCall<ObserveAnswer>(
        { call, clock, target },
        (error) => toErroredAnswer(error, target),
        async (scope) => ({ outcome: 'ok', observation: await observe(deps, { definition, programs }, scope) }),
      ),
    seal: (call, fence) =>
      withinCall<SealAnswer>(
        { call, clock, target },
        (error) => toErroredAnswer(error, target),
        async (scope) => seal(deps, await openPlace(deps, definition), fence, scope),
      ),
    deploy: (call, fence, operationId, component) => apply(call, { verb: 'deploy', fence, operationId, component }),
    rollback: (call, fence, operationId, component) => apply(call, { verb: 'rollback', fence, operationId, component }),
  };
}

async function openPlace(deps: TargetDeps, definition: FilesTargetDefinition): Promise<FilesPlace> {
  const place = await findPlace(deps, definition);
  await ensurePlace(deps, place, definition.name);
  return place;
}

interface Seen {
  readonly definition: FilesTargetDefinition;
  readonly programs: ProgramPlace;
}

async function observe(deps: TargetDeps, { definition, programs }: Seen, scope: CallScope): Promise<Observation> {
  const place = await findPlace(deps, definition);
  const found = await lookAtPlace(deps, place, scope);
  const holds = await readHolding(deps, place);
  if (!found.name) return { digest: null, isHealthy: false, message: found.message, holds };
  const { digest } = found.name;
  return { digest, ...(await checkHealth(deps, definition.health, { place: programs, digest }, scope)), holds };
}

/** By reading every byte of it. */
function lookAtPlace(deps: TargetDeps, place: FilesPlace, scope: CallScope): Promise<WhatRuns> {
  return lookAtCurrent({
    readCurrent: () => readCurrent(deps, place),
    findDifference: async (name) => {
      const index = await readIndex(deps, place, name);
      if (!index) return NO_INDEX;
      return findDifference(deps, join(place.releases, name.text), index, scope);
    },
  });
}

/** From the stored pair on nothing older can switch; then the operation before is given time to say what it did. */
async function seal(
  deps: TargetDeps,
  place: FilesPlace,
  fence: Parameters<Target['seal']>[1],
  scope: CallScope,
): Promise<SealAnswer> {
  const stored = await storePair(deps, place, fence, null);
  if (stored.kind === 'refused') return { outcome: 'refused', held: stored.held };
  const last = await readLastOperation(deps, place, stored.pair);
  if (!last) return { outcome: 'sealed', last: null };
  let result = await lookUpResult(deps, place, last);
  if (!result) {
    await waitForFreeLock(deps, place, scope, Math.min(SEAL_WAIT_MS, scope.timeoutMs / 2));
    result = await lookUpResult(deps, place, last);
  }
  await hitFault(deps, 'target.files.looked_up');
  return { outcome: 'sealed', last: { ...last, result } };
}
