/** Where a target runs, as whoever works on it sees it: programs of this machine, or of one that SSH leads to. */
import type { Duplex, Readable } from 'node:stream';
import type { ProbeStage, TargetHostDefinition } from '@stella/domain';

export type HostArgv = readonly [string, ...string[]];

export interface HostRunOptions {
  /** What it reads from stdin, to its end; nothing when absent. */
  readonly input?: string | Readable;
  /** Added to a path and a locale, which is all that it has otherwise. Never secrets: other users of the host may see them. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Of stdout and stderr each; a program that writes more is ended. */
  readonly outputBytesMax: number;
}

export interface HostRunResult {
  /** Null when a signal or this side ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly isTimedOut: boolean;
  readonly isAborted: boolean;
  /** It wrote too much. */
  readonly isCut: boolean;
}

export interface HostProgram {
  /**
   * stdout is read from it, stdin written to it. Its end (`end()`) is that of stdin; `destroy()` ends both, and the
   * program with them. Over SSH that is sure only of one that heeds the end of its stdin: sshd hands on no signals for root.
   */
  readonly stream: Duplex;
  /** Settles when the program has ended or the connection was lost (`exitCode: null`). Never rejects. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly stderr: string }>;
}

export interface HostOpenOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Destroys the stream. */
  readonly signal: AbortSignal;
}

export interface HostLookOptions {
  /** Of each stage. */
  readonly stageTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * argv, never a shell that would change it. `run` and `open` reject with an `AppError` of `target.unreachable`,
 * `target.credentials` or `target.host_key` when the host is not reached. A program that cannot be started ends with
 * exit code 127 (not found) or 126, and says so on stderr, as shells have it.
 */
export interface TargetHost {
  /** For people: `this machine`, `deploy@10.0.0.5:22`. */
  readonly label: string;
  run(argv: HostArgv, options: HostRunOptions): Promise<HostRunResult>;
  open(argv: HostArgv, options: HostOpenOptions): Promise<HostProgram>;
  /** How far one gets: stages up to the first that failed. Empty for this machine, which is always reached. Never rejects. */
  look(options: HostLookOptions): Promise<readonly ProbeStage[]>;
  /** Ends what is open. Never rejects. */
  close(): Promise<void>;
}

/** `target` is named in errors. Connects when it is used first, and again when the connection was lost since. */
export type OpenHost = (host: TargetHostDefinition | null, target: string) => TargetHost;
