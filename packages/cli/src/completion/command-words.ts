/**
 * What may come next on a command line, as far as the registry of commands tells it: pure, and works offline. Names and
 * ids of things are only named by their kind here; `live-words.ts` asks the server for them.
 */
import type { CommandSpec, OptionSpec } from '../command.ts';

export interface Word {
  readonly value: string;
  /** Shown beside it by shells that can. */
  readonly summary: string;
}

export type Next =
  | { readonly kind: 'words'; readonly words: readonly Word[] }
  /** A value, such as of the positional `promotion` or of `--to <environment>`. `before`: the positionals given so far. */
  | { readonly kind: 'value'; readonly name: string; readonly before: readonly string[] };

/** Options that every command of that kind has, and that `program.ts` adds. */
export interface CommandTable {
  readonly commands: readonly CommandSpec[];
  readonly optionsOf: (spec: CommandSpec | null) => readonly OptionSpec[];
  readonly summaryOf: (path: readonly string[]) => string;
}

/** `typed` are the words after `stella`; the last one is being typed and may be empty. */
export function nextWords(table: CommandTable, typed: readonly string[]): Next {
  const current = typed.at(-1) ?? '';
  const read = readLine(table, typed.slice(0, -1));
  if (read.openOption !== null) return { kind: 'value', name: read.openOption, before: read.positionals };
  if (current.startsWith('-')) return words(optionWords(table.optionsOf(read.spec)), current);
  if (read.spec === null) return words(subcommands(table, read.path), current);
  const positional = read.spec.positionals?.[read.positionals.length];
  if (positional) return { kind: 'value', name: positional.name, before: read.positionals };
  return words(optionWords(table.optionsOf(read.spec)), current);
}

interface Line {
  readonly path: readonly string[];
  /** Null while the words name a noun only. */
  readonly spec: CommandSpec | null;
  readonly positionals: readonly string[];
  /** The name of the value that the last word, an option, asks for. */
  readonly openOption: string | null;
}

function readLine(table: CommandTable, typed: readonly string[]): Line {
  const path: string[] = [];
  const positionals: string[] = [];
  let spec: CommandSpec | null = null;
  let openOption: string | null = null;
  for (const word of typed) {
    if (openOption !== null) openOption = null;
    else if (word.startsWith('-')) openOption = valueName(table.optionsOf(spec), word);
    else if (spec !== null) positionals.push(word);
    else {
      path.push(word);
      spec = table.commands.find((one) => one.path.join(' ') === path.join(' ')) ?? null;
    }
  }
  return { path, spec, positionals, openOption };
}

/** `--to` → `environment`; null for an option without a value, or with one that may be left out. */
function valueName(options: readonly OptionSpec[], word: string): string | null {
  const option = options.find(({ flags }) => namesOf(flags).includes(word));
  const value = option && /<([^>]+)>/.exec(option.flags)?.[1];
  return value === undefined ? null : value.replace(/\.\.\.$/, '');
}

/** `-f, --file <path...>` → `-f`, `--file` */
function namesOf(flags: string): readonly string[] {
  return flags.split(/[ ,]+/).filter((part) => part.startsWith('-'));
}

function optionWords(options: readonly OptionSpec[]): readonly Word[] {
  return options.map(({ flags, summary }) => ({ value: namesOf(flags).at(-1) ?? '', summary }));
}

function subcommands({ commands, summaryOf }: CommandTable, path: readonly string[]): readonly Word[] {
  const found = new Map<string, string>();
  for (const spec of commands) {
    const isBelow = spec.path.length > path.length && path.every((word, index) => spec.path[index] === word);
    const word = spec.path[path.length];
    if (!isBelow || word === undefined) continue;
    const isLeaf = spec.path.length === path.length + 1;
    if (!found.has(word)) found.set(word, isLeaf ? spec.summary : summaryOf([...path, word]));
  }
  return [...found].map(([value, summary]) => ({ value, summary }));
}

function words(all: readonly Word[], current: string): Next {
  return { kind: 'words', words: all.filter(({ value }) => value.startsWith(current)) };
}
