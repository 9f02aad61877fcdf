/** May a `files` target be worked on? Looks at path, rights, room and what the target keeps; changes nothing. */
import {
  AppError,
  type FilesTargetDefinition,
  formatFence,
  isAppError,
  type ProbeCode,
  type TargetHolding,
} from '@stella/domain';
import type { ProbeAnswer, TargetCall } from '../../ports/target.ts';
import type { TargetHost } from '../../ports/target-host.ts';
import { type CallScope, withinCall } from '../call-scope.ts';
import { healthPrograms } from '../health-check.ts';
import { makeStageTimer, type StageTimer } from '../stage-timer.ts';
import type { TargetDeps } from '../target-deps.ts';
import { hasErrno, isClearNo, toTargetError } from '../target-errors.ts';
import { lackingPrograms, programsCode, wordsOfPrograms } from '../target-program.ts';
import { readCurrent } from './current-link.ts';
import { readLastOperation, readStoredPair } from './fence-log.ts';
import type { FilesPlace } from './files-place.ts';
import { checkDirectory, findPlace, nearestExisting } from './open-place.ts';

const BYTES_PER_MIB = 1_048_576;

interface Asked {
  readonly definition: FilesTargetDefinition;
  readonly host: TargetHost;
}

export function probePlace(deps: TargetDeps, { definition, host }: Asked, call: TargetCall): Promise<ProbeAnswer> {
  const timer = makeStageTimer(deps.clock);
  const target = definition.name;
  return withinCall<ProbeAnswer>(
    { call, clock: deps.clock, target },
    (error) => {
      const { code, message } = toTargetError(error, target);
      const outcome = isClearNo(toTargetError(error, target)) ? 'failed' : 'errored';
      return { outcome, code, message, stages: timer.cut(message) };
    },
    (scope) => look(deps, { definition, host }, { timer, scope }),
  );
}

/** What the stages have found so far. */
interface Found {
  place: FilesPlace | null;
  /** Its directories are directories. */
  isWhole: boolean;
  message: string;
  holds: TargetHolding | null;
}

async function look(
  deps: TargetDeps,
  { definition, host }: Asked,
  { timer, scope }: { readonly timer: StageTimer; readonly scope: CallScope },
): Promise<ProbeAnswer> {
  const { fileSystem } = deps;
  const found: Found = { place: null, isWhole: false, message: '', holds: null };
  const placeOf = (): FilesPlace => {
    if (found.place === null) throw new Error('the place is looked for first');
    return found.place;
  };
  await timer.run(
    'path',
    (error) => pathCode(error, found),
    async () => {
      found.place = await findPlace(deps, definition);
      for (const path of partsOf(found.place))
        await checkDirectory(deps, await nearestExisting(deps, path), definition.name);
      found.isWhole = true;
      await checkCurrent(deps, definition, found.place);
      return found.place.root;
    },
  );
  await timer.run('rights', rightsCode, async () => {
    const { W_OK, X_OK } = fileSystem.constants;
    for (const path of partsOf(placeOf())) await fileSystem.access(await nearestExisting(deps, path), W_OK | X_OK);
    return 'can be written';
  });
  await timer.run('disk', diskCode, async () => {
    const { bavail, bsize } = await fileSystem.statfs(await nearestExisting(deps, placeOf().root));
    if (bavail === 0) throw diskFull(definition);
    const free = `${Math.floor((bavail * bsize) / BYTES_PER_MIB)} MiB`;
    found.message = `${placeOf().root} can be written, ${free} are free`;
    return `${free} free`;
  });
  const programs = healthPrograms(definition.health);
  if (programs.length > 0) {
    await timer.run('programs', programsCode, async () =>
      wordsOfPrograms(definition.name, await lackingPrograms(deps, { definition, host }, programs, scope)),
    );
  }
  await timer.run(
    'fence',
    () => 'fence.unreadable',
    async () => {
      found.holds = await readHolding(deps, placeOf());
      return holdingWords(found.holds);
    },
  );
  return { outcome: 'ok', message: found.message, holds: found.holds, stages: timer.stages };
}

function partsOf({ root, state, releases }: FilesPlace): readonly string[] {
  return [root, state, releases];
}

/** A link to elsewhere is replaced by the first switch; a directory or a file cannot be. */
async function checkCurrent(deps: TargetDeps, definition: FilesTargetDefinition, place: FilesPlace): Promise<void> {
  const current = await readCurrent(deps, place);
  if (current.kind !== 'foreign' || (await deps.fileSystem.lstat(place.current)).isSymbolicLink()) return;
  throw disk(definition, current.message);
}

/** What the target has accepted; null when it never saw a fence. */
export async function readHolding(deps: TargetDeps, place: FilesPlace): Promise<TargetHolding | null> {
  const stored = await readStoredPair(deps, place);
  if (!stored) return null;
  const { fence, operationId } = stored;
  const operation = operationId === null ? await readLastOperation(deps, place, stored) : { fence, operationId };
  return { fence, operation };
}

function holdingWords(holds: TargetHolding | null): string {
  if (holds === null) return 'holds no fence yet';
  return `holds fence ${formatFence(holds.fence)}`;
}

function pathCode(error: unknown, { isWhole }: Found): ProbeCode {
  if (isAppError(error) && error.code === 'target.directory_forbidden') return 'path.forbidden';
  if (isAppError(error) && error.code === 'target.disk') return isWhole ? 'path.in_the_way' : 'path.not_directory';
  return hasErrno(error, 'EACCES', 'EPERM') ? 'rights.denied' : 'probe.error';
}

function rightsCode(error: unknown): ProbeCode {
  return hasErrno(error, 'EROFS') ? 'rights.read_only' : 'rights.denied';
}

function diskCode(error: unknown): ProbeCode {
  return isAppError(error) ? 'disk.full' : 'disk.error';
}

function diskFull({ name }: FilesTargetDefinition): AppError {
  return new AppError('target.disk_full', { details: { target: name, message: 'no block is free' } });
}

function disk({ name }: FilesTargetDefinition, message: string): AppError {
  return new AppError('target.disk', { details: { target: name, message } });
}
