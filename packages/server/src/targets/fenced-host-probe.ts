/** May a target on a host be worked on? The way to it, its directory, its programs, room and fence, one after another. */
import { AppError, formatFence, type ProbeCode } from '@stella/domain';
import type { ProbeAnswer, TargetCall } from '../ports/target.ts';
import type { CallScope } from './call-scope.ts';
import type { FencedHost, FenceProbe } from './fenced-host.ts';
import { type ProbePlace, probeOnHost } from './probe-on-host.ts';
import type { StageTimer } from './stage-timer.ts';
import { toTargetError } from './target-errors.ts';
import { programsCode, wordsOfPrograms } from './target-program.ts';

const BYTES_PER_MIB = 1_048_576;

export interface HostProbe extends ProbePlace {
  readonly fenced: FencedHost;
  /** Before the fence is asked for its directory: throws where the target may not or cannot be. */
  readonly prepare: (scope: CallScope) => Promise<void>;
  /** Programs that the kind needs and the host lacks, beside those of the fence. */
  readonly lacking: (scope: CallScope) => Promise<readonly string[]>;
}

/** Changes nothing that runs. */
export function probeFencedHost(probe: HostProbe, call: TargetCall): Promise<ProbeAnswer> {
  return probeOnHost(probe, call, async (scope, timer) => {
    const { directory, holds } = await lookInside(probe, scope, timer);
    return { message: `${probe.host.label}: ${directory} can be written`, holds };
  });
}

/** What is wrong with the target's directory, by the error; else it cannot be written. */
const PATH_CODES: Readonly<Record<string, ProbeCode>> = {
  'target.directory_forbidden': 'path.forbidden',
  'target.program_missing': 'programs.missing',
  'target.disk': 'path.in_the_way',
  'target.disk_full': 'disk.full',
};

async function lookInside(
  { target, fenced, prepare, lacking }: HostProbe,
  scope: CallScope,
  timer: StageTimer,
): Promise<FenceProbe> {
  let found: FenceProbe | null = null;
  const probed = (): FenceProbe => {
    if (found === null) throw new Error('the fence is probed first');
    return found;
  };
  await timer.run(
    'path',
    (error) => PATH_CODES[toTargetError(error, target).code] ?? 'rights.denied',
    async () => {
      await prepare(scope);
      found = await fenced.probe(scope);
      return probed().directory;
    },
  );
  await timer.run('programs', programsCode, async () =>
    wordsOfPrograms(target, [...probed().missing, ...(await lacking(scope))]),
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
