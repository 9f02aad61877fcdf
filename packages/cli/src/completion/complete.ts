/**
 * `stella __complete <words…>`, which the scripts of `stella completion` call at each press of the key: one candidate per
 * line, with a tab and a word about it where there is one; `:files` alone asks the shell for names of files. Never fails.
 */
import { makeClient } from '@stella/contract/client';
import type { GlobalOptions, Terminal } from '../command.ts';
import { COMMANDS } from '../commands/all.ts';
import { readClientConfig } from '../connect/client-config.ts';
import { findServer } from '../connect/find-server.ts';
import { makeHarmless } from '../harmless.ts';
import { optionsOf, summaryOf } from '../program.ts';
import { nextWords } from './command-words.ts';
import { liveWords } from './live-words.ts';

/** Longer than a person waits for a word that may not even be wanted. */
const TIMEOUT_MS = 1_000;
const FILES = ':files';

type Env = Readonly<Record<string, string | undefined>>;

export interface CompletionOrder {
  /** After `__complete`. */
  readonly typed: readonly string[];
  readonly env: Env;
  readonly globals: GlobalOptions;
  readonly terminal: Terminal;
}

export async function complete({ typed, env, globals, terminal }: CompletionOrder): Promise<void> {
  const next = nextWords({ commands: COMMANDS, optionsOf, summaryOf }, typed);
  const current = typed.at(-1) ?? '';
  const found =
    next.kind === 'words'
      ? next.words
      : await liveWords({
          ...next,
          contexts: orElse(() => contextsOf(env), []),
          client: orElse(() => connect(globals, env), null),
        });
  if (found === null) {
    terminal.out(`${FILES}\n`);
    return;
  }
  for (const { value, summary } of found) {
    if (!value.startsWith(current)) continue;
    const about = makeHarmless(summary).replace(/\s+/g, ' ');
    terminal.out(about === '' ? `${value}\n` : `${value}\t${about}\n`);
  }
}

function contextsOf(env: Env): readonly string[] {
  return Object.keys(readClientConfig(env)?.contexts ?? {});
}

function connect(globals: GlobalOptions, env: Env): ReturnType<typeof makeClient> {
  return makeClient({ ...findServer(globals, env), timeoutMs: TIMEOUT_MS });
}

/** A configuration that cannot be read is told by the next command, not in the middle of a line. */
function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    // As above.
    return otherwise;
  }
}
