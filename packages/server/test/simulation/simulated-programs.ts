/** Programs that gates run: a yes or a no by their exit code, or they fail, write nonsense, or do not end. */
import type { GroupResult, Processes } from '../../src/ports/processes.ts';
import type { ProgramDeps } from '../../src/gates/find-program.ts';
import type { GateWorld } from './simulated-gates.ts';
import type { SimulatedProcess } from './simulated-process.ts';

export const PROGRAM_DIRECTORY = '/opt/gates';

const FAULTS = ['hang', 'exit_2', 'signal', 'bad_report', 'too_much'] as const;
/** Of a hundred good ends so many are a no. */
const NO_PERCENT = 6;

/** Every program is where it should be. */
export const PROGRAMS: ProgramDeps = {
  commandDirectories: [PROGRAM_DIRECTORY],
  fileSystem: {
    realpath: (path: string) => Promise.resolve(path),
    stat: () => Promise.resolve({ isFile: () => true, mode: 0o755 }),
    access: () => Promise.resolve(),
    constants: { X_OK: 1 },
    // What `findProgram` calls, in the one form in which it calls it.
  } as unknown as ProgramDeps['fileSystem'],
};

/** The programs of one process: they end with it. */
export function makePrograms(world: GateWorld, process: SimulatedProcess): Pick<Processes, 'runGroup'> {
  return {
    runGroup: (_argv, options) =>
      new Promise((resolve) => {
        const { random } = world.scheduler;
        const fault = world.isFaulty() && random.chance(world.mix.gate) ? random.pick(FAULTS) : null;
        if (fault) world.journal.fault(`program.${fault}`);
        const end = (patch: Partial<GroupResult>): void => {
          if (patch.exitCode !== undefined) world.journal.reach(`program.exit_${patch.exitCode}`);
          resolve({ ...ENDED, ...patch });
        };
        options.signal.addEventListener('abort', () => end({ exitCode: null, signal: 'SIGTERM', isAborted: true }), {
          once: true,
        });
        process.enterAfter(options.killAfterMs, () => end({ exitCode: null, signal: 'SIGKILL', isTimedOut: true }));
        if (fault === 'hang') return;
        process.enterAfter(random.between(1, 2 * world.answerMs), () => end(endOf(world, options.input, fault)));
      }),
  };
}

const ENDED: GroupResult = {
  exitCode: 0,
  signal: null,
  isTimedOut: false,
  isAborted: false,
  isCut: false,
  stdout: '',
  stderr: '',
};

function endOf(
  { journal, scheduler }: GateWorld,
  input: string | undefined,
  fault: (typeof FAULTS)[number] | null,
): Partial<GroupResult> {
  if (fault === 'exit_2') return { exitCode: 2, stderr: 'usage\n' };
  if (fault === 'signal') return { exitCode: null, signal: 'SIGSEGV' };
  if (fault === 'too_much') return { exitCode: 0, isCut: true };
  if (fault === 'bad_report') return { exitCode: 0, stdout: '{"verdict":"failed"}' };
  const isYes = !scheduler.random.chance(NO_PERCENT);
  // The product's own question.
  const { operationId } = JSON.parse(input ?? '') as { readonly operationId: string };
  const given = journal.verdicts.get(operationId) ?? new Set();
  journal.verdicts.set(operationId, given.add(isYes ? 'passed' : 'failed'));
  return { exitCode: isYes ? 0 : 1, stdout: isYes ? 'all is well\n' : 'it is not\n' };
}
