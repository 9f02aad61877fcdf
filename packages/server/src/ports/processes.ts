/** Other processes of this machine, as the server sees them. */
export interface ProcessIdentity {
  readonly uid?: number;
  readonly gid?: number;
}

export interface RunOptions extends ProcessIdentity {
  readonly cwd?: string;
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** SIGKILL after this long. */
  readonly timeoutMs: number;
  /** What it reads from stdin; nothing when absent. */
  readonly input?: string;
  /** Of stdout and stderr each; more is cut. */
  readonly outputBytesMax: number;
}

export interface RunResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly isTimedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions extends ProcessIdentity {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Both output streams are appended to this file; null: to the error output of this process. */
  readonly logFile: string | null;
}

export interface StartedProcess {
  readonly pid: number;
  /** Settles when it ends. Never rejects. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly signal: string | null }>;
}

export interface ProcessFacts {
  readonly pid: number;
  /** Resolved path of the running program; null when this user may not see it. */
  readonly executable: string | null;
  readonly cwd: string | null;
  /** When it started, as this machine tells it; null when it does not. Tells it from a later one with the same pid. */
  readonly startedAt: string | null;
}

export interface GroupOptions {
  readonly cwd: string;
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  /** Of stdout and stderr each; with more its group is killed at once. */
  readonly outputBytesMax: number;
  /** SIGTERM to its group after this long, SIGKILL at the second moment. */
  readonly termAfterMs: number;
  readonly killAfterMs: number;
  /** SIGTERM when it aborts, SIGKILL so long after. */
  readonly signal: AbortSignal;
  readonly abortGraceMs: number;
  /** It runs, as the leader of its group. */
  readonly onStart: (pid: number) => void;
}

export interface GroupResult extends RunResult {
  readonly isAborted: boolean;
  /** It wrote too much. */
  readonly isCut: boolean;
}

export interface Processes {
  /**
   * Runs a program as the leader of a process group of its own, to its end; with it ends whatever it has started in that
   * group. argv, no shell. Rejects only when it cannot be started.
   */
  runGroup(argv: readonly [string, ...string[]], options: GroupOptions): Promise<GroupResult>;
  /** SIGKILL to the group that this process leads. */
  killGroup(pid: number): void;
  /** Runs a program to its end. argv, no shell. Rejects only when it cannot be started. */
  run(argv: readonly [string, ...string[]], options: RunOptions): Promise<RunResult>;
  /** Starts a program that outlives this process (own session). */
  startDetached(argv: readonly [string, ...string[]], options: StartOptions): Promise<StartedProcess>;
  /** False when there is no such process. */
  signal(pid: number, signal: NodeJS.Signals | 0): boolean;
  /** Null when there is no such process, or when it has ended and only waits for its parent to notice. */
  inspect(pid: number): Promise<ProcessFacts | null>;
  /** Every process whose facts this user may see. */
  list(): Promise<readonly ProcessFacts[]>;
}
