/** What a supervisor does at the moment, as it writes it down for everybody who asks. It alone writes the file. */
import type { FileSystem } from '../ports/file-system.ts';
import { readObject, replaceText, type ServicePlace } from './service-place.ts';

/**
 * `starting`: a server was started and does not own the data directory yet · `running` · `draining`: it was told to end ·
 * `waiting`: the next start comes after a pause · `blocked`: a server that it did not start owns the directory.
 */
export const SUPERVISOR_PHASES = ['starting', 'running', 'draining', 'waiting', 'blocked', 'stopped'] as const;
export type SupervisorPhase = (typeof SUPERVISOR_PHASES)[number];

export interface ProcessName {
  readonly pid: number;
  /** As `ProcessFacts.startedAt`. */
  readonly startedAt: string | null;
}

export interface LastExit {
  readonly atMs: number;
  /** Null after a signal, and for a server that this supervisor had adopted. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** It was told to end. */
  readonly wasAsked: boolean;
  /** Its last lines, when it failed; empty when it left none. */
  readonly words: string;
}

export interface SupervisorState {
  readonly phase: SupervisorPhase;
  readonly supervisor: ProcessName;
  readonly server: ProcessName | null;
  readonly serverSinceMs: number | null;
  /** Ends that nobody asked for, since the service was started. */
  readonly restartCount: number;
  /** Of those, how many followed each other without a healthy time between them. */
  readonly failureCount: number;
  readonly nextStartAtMs: number | null;
  readonly lastExit: LastExit | null;
  /** What holds it up, for people; null when nothing does. */
  readonly note: string | null;
  /** Null: it writes to the output that the supervisor was started with. */
  readonly logFile: string | null;
}

/** Null when there is none, or one of another form. */
export async function readState(fileSystem: FileSystem, { stateFile }: ServicePlace): Promise<SupervisorState | null> {
  const found = await readObject(fileSystem, stateFile);
  const isOurs =
    found !== null &&
    SUPERVISOR_PHASES.some((phase) => phase === found['phase']) &&
    typeof found['supervisor'] === 'object' &&
    typeof found['restartCount'] === 'number';
  // Written by a supervisor, which alone writes there.
  return isOurs ? (found as unknown as SupervisorState) : null;
}

export async function writeState(fileSystem: FileSystem, place: ServicePlace, state: SupervisorState): Promise<void> {
  await replaceText(fileSystem, place.stateFile, `${JSON.stringify(state)}\n`);
}

export function isSame(left: ProcessName | null, right: ProcessName | null): boolean {
  return left?.pid === right?.pid && left?.startedAt === right?.startedAt;
}
