/** What a command is: a declaration and a `run`. One file per command under `commands/<noun>/<verb>.ts`. */
import type { Client } from '@stella/contract/client';
import type { View } from './view.ts';

export interface PositionalSpec {
  readonly name: string;
  readonly summary: string;
  readonly isOptional?: boolean;
}

export interface OptionSpec {
  /** As commander writes them: `--to <environment>`, `-f, --file <path...>`. */
  readonly flags: string;
  readonly summary: string;
  readonly isRequired?: boolean;
  /** Nothing else is taken. */
  readonly choices?: readonly string[];
}

export interface CommandSpec {
  /** `['orch', 'locks', 'list']` */
  readonly path: readonly string[];
  readonly summary: string;
  readonly positionals?: readonly PositionalSpec[];
  readonly options?: readonly OptionSpec[];
  /** `read` adds `-o`; `write` adds `-o` and `--dry-run`; `local` talks to no server. */
  readonly kind: 'read' | 'write' | 'local';
  /** Shown below the help. */
  readonly examples?: readonly string[];
  /** Answers the exit code; nothing means 0. Errors are thrown. */
  readonly run: (context: CommandContext, input: CommandInput) => Promise<number | undefined>;
}

export interface CommandInput {
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

export interface CommandContext {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly globals: GlobalOptions;
  /** Found when first asked for. Errors: `server.unreachable` when none is configured, `cli.config_mode`. */
  readonly connect: (waiting?: Waiting) => Promise<Connection>;
  /** Data on stdout in the format that was asked for. */
  readonly show: (view: View) => void;
}

export interface Waiting {
  /** An answer may take so long; waited for unless `--timeout` says otherwise. */
  readonly patienceMs: number;
}

export interface Connection {
  readonly client: Client;
  readonly server: string;
  /** New for each write: the command is one request, whatever the network does to it. */
  readonly idempotencyKey: string;
}

export interface GlobalOptions {
  readonly server: string | undefined;
  readonly context: string | undefined;
  readonly tokenFile: string | undefined;
  readonly output: OutputFormat;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  readonly isColored: boolean;
  readonly timeoutMs: number;
  /** By option or environment, not by default. */
  readonly isTimeoutGiven: boolean;
  readonly isConfirmed: boolean;
  readonly isDryRun: boolean;
}

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'jsonl', 'name', 'markdown'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** The streams and what they are. */
export interface Terminal {
  readonly out: (text: string) => void;
  /** Everything that is not data. */
  readonly err: (text: string) => void;
  readonly isOutTty: boolean;
  readonly isErrTty: boolean;
  readonly columns: number;
  readonly nowMs: () => number;
  /** Aborts on Ctrl-C. */
  readonly interrupted: AbortSignal;
}

/** Exit codes; `stella help exit-codes` prints them. */
export const EXIT_CODES = {
  ok: 0,
  error: 1,
  usage: 2,
  notAllowed: 3,
  notFound: 4,
  conflict: 6,
  endedOtherwise: 7,
  stillPending: 8,
  checkFailed: 9,
  temporary: 10,
  interrupted: 130,
} as const;
