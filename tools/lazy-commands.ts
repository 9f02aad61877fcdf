/**
 * In the bundle the registry of commands is a table of what they are: words, summaries, options, as data. What they do is
 * loaded when one is run, so that help and completion start without. Those that ask a server come as one file, since each
 * further file costs more than what is in it; those that work on this machine have a file each, with what they need.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS, type CommandSpec } from '@stella/cli';
import type { Plugin } from 'esbuild';

const FOLDER = join('packages', 'cli', 'src', 'commands');
const IMPORT = /^import \{ (\w+) \} from '(\.\/[^']+)';$/gm;
const LIST = /COMMANDS: readonly CommandSpec\[\] = \[([^\]]*)\]/;
/** The name by which the table imports those that ask a server; no file is called so. */
export const ASKING = 'stella:asking-commands';

export function lazyCommands(root: string): Plugin {
  const folder = join(root, FOLDER);
  return {
    name: 'lazy-commands',
    setup(bundler) {
      bundler.onLoad({ filter: /\/cli\/src\/commands\/all\.ts$/ }, () => ({
        contents: renderTable(readRegistry(folder)),
        loader: 'ts',
        resolveDir: folder,
      }));
      bundler.onResolve({ filter: new RegExp(`^${ASKING}$`) }, ({ path }) => ({ path, namespace: ASKING }));
      bundler.onLoad({ filter: /./, namespace: ASKING }, () => ({
        contents: renderAsking(readRegistry(folder)),
        loader: 'ts',
        resolveDir: folder,
      }));
    },
  };
}

/** What their commands work on is this machine, whether they print like the others or not. */
const NOUNS_OF_MACHINE: ReadonlySet<string> = new Set(['service']);

function asksServer({ kind, path: [noun = ''] }: CommandSpec): boolean {
  return kind !== 'local' && !NOUNS_OF_MACHINE.has(noun);
}

/** A command, and where it is exported under which name. */
interface Registered {
  readonly command: CommandSpec;
  readonly home: Home;
}

/** The registry's text tells in which order it names what it imports from where. */
function readRegistry(folder: string): readonly Registered[] {
  const text = readFileSync(join(folder, 'all.ts'), 'utf8');
  const files = new Map([...text.matchAll(IMPORT)].map(([, name = '', file = '']) => [name, file]));
  const names = LIST.exec(text)?.[1]?.match(/\w+/g) ?? [];
  if (names.length !== COMMANDS.length)
    throw new Error(`${folder}/all.ts lists its commands in another way than by name`);
  return COMMANDS.map((command, index) => {
    const name = names[index] ?? '';
    const file = files.get(name);
    if (file === undefined) throw new Error(`${folder}/all.ts imports ${name} in another way than by its name`);
    return { command, home: { file, name } };
  });
}

/** The same `COMMANDS`, each of which loads what it does when it is run. */
function renderTable(registered: readonly Registered[]): string {
  const entries = registered.map(({ command, home }) => {
    const { run: _, ...declared } = command;
    const from = asksServer(command) ? ASKING : home.file;
    const run = `async (context, input) => (await import('${from}')).${home.name}.run(context, input)`;
    return `{ ...${JSON.stringify(declared)}, run: ${run} }`;
  });
  return `export const COMMANDS = [\n${entries.join(',\n')}\n];\n`;
}

function renderAsking(registered: readonly Registered[]): string {
  const asking = registered.filter(({ command }) => asksServer(command));
  const commands = asking.map(({ home }) => `export { ${home.name} } from '${home.file}';\n`);
  return `import '../run-cli.ts';\nexport { runCommand } from '../run-command.ts';\n${commands.join('')}`;
}

interface Home {
  readonly file: string;
  readonly name: string;
}
