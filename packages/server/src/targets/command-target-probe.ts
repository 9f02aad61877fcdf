/** May a `command` target be worked on? The way to its host, its programs, room and fence; changes nothing that runs. */
import { AppError, formatFence, type ProbeCode } from '@stella/domain';
import type { ProbeAnswer, TargetCall } from '../ports/target.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { checkStatePlace, type CommandPlace } from './command-place.ts';
import type { FenceProbe } from './fenced-host.ts';
import { lookAtWay } from './probe-way.ts';
import { makeStageTimer, type StageTimer } from './stage-timer.ts';
import type { TargetDeps } from './target-deps.ts';
import { isClearNo, toTargetError } from './target-errors.ts';

const OUTPUT_BYTES_MAX = 10_000;
const BYTES_PER_MIB = 1_048_576;
/** What is wrong with the place of the state, by the error; else it cannot be written. */
const PATH_CODES: Readonly<Record<string, ProbeCode>> = {
  'target.directory_forbidden': 'path.forbidden',
  'target.program_missing': 'programs.missing',
};

export async function probeCommandTarget(
  deps: TargetDeps,
  place: CommandPlace,
  call: TargetCall,
): Promise<ProbeAnswer> {
  const { definition, host } = place;
  const target = definition.name;
  const { stages: way, broken } = await lookAtWay(host, call);
  if (broken) return broken;
  const timer = makeStageTimer(deps.clock);
  return withinCall<ProbeAnswer>(
    { call, clock: deps.clock, target },
    (error) => {
      const known = toTargetError(error, target);
      const outcome = isClearNo(known) ? 'failed' : 'errored';
      return { outcome, code: known.code, message: known.message, stages: [...way, ...timer.cut(known.message)] };
    },
    async (scope) => {
      const found = await lookInside(deps, place, scope, timer);
      const message = `${host.label}: ${found.directory} can be written`;
      return { outcome: 'ok', message, holds: found.holds, stages: [...way, ...timer.stages] };
    },
  );
}

async function lookInside(
  deps: TargetDeps,
  place: CommandPlace,
  scope: CallScope,
  timer: StageTimer,
): Promise<FenceProbe> {
  const { definition, fenced } = place;
  const target = definition.name;
  let found: FenceProbe | null = null;
  const probed = (): FenceProbe => {
    if (found === null) throw new Error('the fence is probed first');
    return found;
  };
  await timer.run(
    'path',
    (error) => PATH_CODES[toTargetError(error, target).code] ?? 'rights.denied',
    async () => {
      checkStatePlace(deps, definition);
      found = await fenced.probe(scope);
      return probed().directory;
    },
  );
  await timer.run(
    'programs',
    (error) =>
      toTargetError(error, target).code === 'target.program_forbidden' ? 'path.forbidden' : 'programs.missing',
    async () => {
      const lacking = [...probed().missing, ...(await lackingPrograms(deps, place, scope))];
      if (lacking.length === 0) return 'all are there';
      throw new AppError('target.program_missing', { details: { target, message: lacking.join(', ') } });
    },
  );
  await timer.run(
    'disk',
    () => 'disk.full',
    () => {
      const { freeBytes } = probed();
      if (freeBytes === 0) throw new AppError('target.disk_full', { details: { target, message: 'no block is free' } });
      return Promise.resolve(freeBytes === null ? 'not told' : `${Math.floor(freeBytes / BYTES_PER_MIB)} MiB free`);
    },
  );
  await timer.run(
    'fence',
    () => 'fence.unreadable',
    () => {
      const { holds } = probed();
      return Promise.resolve(holds === null ? 'holds no fence yet' : `holds fence ${formatFence(holds.fence)}`);
    },
  );
  return probed();
}

/** Those of the definition that cannot be run there. */
async function lackingPrograms(
  { findProgram }: TargetDeps,
  { definition, host }: CommandPlace,
  scope: CallScope,
): Promise<readonly string[]> {
  const argvs = [definition.deploy, definition.observe, ...(definition.rollback ? [definition.rollback] : [])];
  const lacking: string[] = [];
  for (const program of new Set(argvs.map(([first]) => first))) {
    if (definition.host === undefined) {
      const found = await findProgram({ program, directory: null });
      if (found.isThere) continue;
      if (found.code === 'gate.program_forbidden') {
        throw new AppError('target.program_forbidden', {
          details: { target: definition.name, message: found.message },
        });
      }
      lacking.push(program);
      continue;
    }
    const { exitCode } = await host.run(['test', '-x', program], {
      timeoutMs: scope.timeoutMs,
      signal: scope.signal,
      outputBytesMax: OUTPUT_BYTES_MAX,
    });
    if (exitCode !== 0) lacking.push(program);
  }
  return lacking;
}
