/** Gates of kind `command`: a real program of the machine that breaks off, hangs, or is not there. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Drill } from '../drill.ts';
import type { World } from '../world.ts';

/** Long enough for a program to start on a busy machine. */
const TIMEOUT = '3s';
/** Later than the time-out, and sooner than the one that is proposed then. */
const LATE_S = 4;
const PASSES = 'exit 0';

function programOf({ place }: World): string {
  return join(place.directory, 'gate-program');
}

/** Whole or not at all is no matter: nothing runs it meanwhile. */
function writeProgram(world: World, body: string): void {
  rmSync(programOf(world), { force: true });
  writeFileSync(programOf(world), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

function gate(world: World): object {
  return {
    name: world.name,
    kind: 'command',
    program: programOf(world),
    timeout: TIMEOUT,
    retries: 0,
    backoff: '0s',
  };
}

/** `body` null: there is no such program. */
function programDrill(cause: Drill['cause'], fault: string, body: string | null): Drill {
  return {
    cause,
    variant: 'command',
    fault,
    needs: ['commands'],
    async inject(world) {
      if (body !== null) writeProgram(world, body);
      await world.apply({ gates: [gate(world)] });
      return world.promote(await world.release('1'));
    },
    repair: async (world) => writeProgram(world, PASSES),
  };
}

export const COMMAND_DRILLS: readonly Drill[] = [
  programDrill('gate.slow', 'its program ends, later than it is waited for', `sleep ${LATE_S}; ${PASSES}`),
  programDrill('gate.erroring', 'its program ends with exit code 3', 'echo "no connection" >&2; exit 3'),
  programDrill('gate.misconfigured', 'its program is not there', null),
];
