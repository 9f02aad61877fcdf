/**
 * Programs that a definition names, run on the host of its target without a shell: what they are told, whether they may be
 * run, and how their end is worded. On this machine only what whoever started the server has allowed is run, as for gates;
 * on another host the rights of the user there decide.
 */
import { AppError, componentsOf, hostOf, isAppError, type ProbeCode, type TargetDefinition } from '@stella/domain';
import type { HostArgv, HostRunResult, TargetHost } from '../ports/target-host.ts';
import type { CallScope } from './call-scope.ts';
import type { TargetDeps } from './target-deps.ts';

const TEST_BYTES_MAX = 10_000;
/** Of what a program said, for people. */
const SAID_LENGTH_MAX = 500;

export interface ProgramPlace {
  readonly definition: TargetDefinition;
  readonly environment: string;
  /** That of the definition. */
  readonly host: TargetHost;
}

export interface Telling {
  readonly action: 'deploy' | 'rollback' | 'observe' | 'health';
  /** Empty: the program is there to tell it. */
  readonly digest: string;
}

type ProgramDeps = Pick<TargetDeps, 'findProgram'>;

/** Throws `target.program_forbidden` and `target.program_missing` for this machine; another host tells it by its exit code. */
export async function toProgramArgv(
  deps: ProgramDeps,
  { definition, environment }: Omit<ProgramPlace, 'host'>,
  [program, ...args]: HostArgv,
  { action, digest }: Telling,
): Promise<HostArgv> {
  const path = hostOf(definition) === null ? await findHere(deps, definition.name, program) : program;
  // Of definitions from before this was refused, and of links: env(1) would set a variable, and run what comes next.
  if (path.includes('=')) {
    const message = `${path} has a "=", which no path of a program may have`;
    throw new AppError('target.program_forbidden', { details: { target: definition.name, message } });
  }
  const told = {
    ENVIRONMENT: environment,
    TARGET: definition.name,
    COMPONENT: componentsOf(definition).join(','),
    ACTION: action,
    DIGEST: digest,
  };
  return ['env', ...Object.entries(told).map(([name, value]) => `STELLA_${name}=${value}`), path, ...args];
}

async function findHere({ findProgram }: ProgramDeps, target: string, program: string): Promise<string> {
  const found = await findProgram({ program, directory: null });
  if (found.isThere) return found.program;
  const code = found.code === 'gate.program_forbidden' ? 'target.program_forbidden' : 'target.program_missing';
  throw new AppError(code, { details: { target, message: found.message } });
}

/** Those that cannot be run there. Throws `target.program_forbidden`. Changes and runs nothing. */
export async function lackingPrograms(
  deps: ProgramDeps,
  { definition, host }: Omit<ProgramPlace, 'environment'>,
  argvs: readonly HostArgv[],
  scope: CallScope,
): Promise<readonly string[]> {
  const lacking: string[] = [];
  for (const program of new Set(argvs.map(([first]) => first))) {
    if (!(await isThere(deps, { definition, host }, program, scope))) lacking.push(program);
  }
  return lacking;
}

async function isThere(
  deps: ProgramDeps,
  { definition, host }: Omit<ProgramPlace, 'environment'>,
  program: string,
  scope: CallScope,
): Promise<boolean> {
  if (hostOf(definition) === null) {
    try {
      await findHere(deps, definition.name, program);
      return true;
    } catch (error) {
      if (isAppError(error, 'target.program_missing')) return false;
      throw error;
    }
  }
  const options = { timeoutMs: scope.timeoutMs, signal: scope.signal, outputBytesMax: TEST_BYTES_MAX };
  const { exitCode, stderr } = await host.run(['test', '-x', program], options);
  scope.check();
  if (exitCode === 0 || exitCode === NOT_THERE) return exitCode === 0;
  const target = definition.name;
  // Its host lacks what runs it: over SSH that is `timeout`.
  if (exitCode === LACKING)
    throw new AppError('target.program_missing', { details: { target, message: lastWords(stderr) } });
  // The connection was lost, or the time was over: nobody has said that it is not there.
  const message = `nobody said whether ${program} is there ${lastWords(stderr)}`.trim();
  throw new AppError('target.interrupted', { details: { target, message } });
}

/** Of test(1), and of a shell for a program that it does not find. */
const NOT_THERE = 1;
const LACKING = 127;

/** The answer of the stage `programs` of a probe. Throws `target.program_missing` when one is lacking. */
export function wordsOfPrograms(target: string, lacking: readonly string[]): string {
  if (lacking.length === 0) return 'all are there';
  throw new AppError('target.program_missing', { details: { target, message: lacking.join(', ') } });
}

/** Of the stage `programs` of a probe, by what it threw. */
export function programsCode(error: unknown): ProbeCode {
  return isAppError(error, 'target.program_forbidden') ? 'path.forbidden' : 'programs.missing';
}

/** For people, after the name of the program. */
export function howItEnded({ exitCode, isTimedOut, isCut }: Omit<HostRunResult, 'stdout' | 'stderr'>): string {
  if (isTimedOut) return 'did not end in time';
  if (isCut) return 'wrote too much';
  return exitCode === null ? 'was ended' : `ended with exit code ${exitCode}`;
}

/** The end of what a program said, in one line. */
export function lastWords(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(-SAID_LENGTH_MAX);
}
