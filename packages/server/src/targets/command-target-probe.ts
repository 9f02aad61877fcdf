/** May a `command` target be worked on? Its host, and the programs of its definition; changes nothing that runs. */
import { AppError } from '@stella/domain';
import type { ProbeAnswer, TargetCall } from '../ports/target.ts';
import type { CallScope } from './call-scope.ts';
import { checkStatePlace, type CommandPlace } from './command-place.ts';
import { probeFencedHost } from './fenced-host-probe.ts';
import type { TargetDeps } from './target-deps.ts';

const OUTPUT_BYTES_MAX = 10_000;

export function probeCommandTarget(deps: TargetDeps, place: CommandPlace, call: TargetCall): Promise<ProbeAnswer> {
  const { definition, host, fenced } = place;
  return probeFencedHost(
    {
      clock: deps.clock,
      target: definition.name,
      host,
      fenced,
      prepare: () => Promise.resolve(checkStatePlace(deps, definition)),
      lacking: (scope) => lackingPrograms(deps, place, scope),
    },
    call,
  );
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
