/** May a `command` target be worked on? Its host, and the programs of its definition; changes nothing that runs. */
import type { CommandArgv, CommandTargetDefinition } from '@stella/domain';
import type { ProbeAnswer, TargetCall } from '../ports/target.ts';
import { checkStatePlace, type CommandPlace } from './command-place.ts';
import { probeFencedHost } from './fenced-host-probe.ts';
import { healthPrograms } from './health-check.ts';
import type { TargetDeps } from './target-deps.ts';
import { lackingPrograms } from './target-program.ts';

export function probeCommandTarget(deps: TargetDeps, place: CommandPlace, call: TargetCall): Promise<ProbeAnswer> {
  const { definition, host, fenced } = place;
  return probeFencedHost(
    {
      clock: deps.clock,
      target: definition.name,
      host,
      fenced,
      prepare: () => Promise.resolve(checkStatePlace(deps, definition)),
      lacking: (scope) => lackingPrograms(deps, place, programsOf(definition), scope),
    },
    call,
  );
}

function programsOf({ deploy, observe, rollback, health }: CommandTargetDefinition): readonly CommandArgv[] {
  return [deploy, observe, ...(rollback ? [rollback] : []), ...healthPrograms(health)];
}
