import { join, posix } from 'node:path';
import { COMMANDS, makeProgram, type Terminal } from '@stella/cli';
import { ERROR_CODES } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { readSourceTree } from '../code/source-tree.ts';
import { type CommandMention, type PageMentions, readPage } from './read-page.ts';

const tree = readSourceTree(join(import.meta.dirname, '..', '..'));
const PAGES = tree.paths.filter((path) => /^[A-Z]+\.md$|^(?:docs|examples)\/.*\.md$/.test(path));
/** Made by a build, so not in a clean tree. */
const BUILT: ReadonlySet<string> = new Set(['packages/cli/dist']);

const tops = new Set(tree.paths.map((path) => path.split('/')[0] ?? ''));
const folders = new Set(
  tree.paths.flatMap((path) => {
    const segments = path.split('/').slice(0, -1);
    return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
  }),
);
// Our own file, in the form that npm demands.
const manifest = JSON.parse(tree.read('package.json') ?? '{}') as {
  readonly scripts: Readonly<Record<string, string>>;
};

function exists(path: string): boolean {
  return path === '' || path === '.' || BUILT.has(path) || folders.has(path) || tree.read(path) !== null;
}

/** `packages/cli/src/commands/<noun>/<verb>.ts` → `packages/cli/src/commands`: what is certain of it. */
function certainPart(path: string): string {
  const segments = path.replace(/\/$/, '').split('/');
  const open = segments.findIndex((segment) => /[<>*…${}]/.test(segment));
  return (open < 0 ? segments : segments.slice(0, open)).join('/');
}

/** What is wrong with a page, as `line: what`. */
async function mistakesOf(path: string, text: string): Promise<readonly string[]> {
  const page = readPage(text, tops);
  const mistakes: string[] = [];
  for (const { line, text: target } of page.links) {
    const fault = linkFault(path, target, page);
    if (fault !== null) mistakes.push(`${line}: ${fault}`);
  }
  for (const { line, text: named } of page.paths) {
    if (!exists(certainPart(named))) mistakes.push(`${line}: there is no ${named}`);
  }
  for (const { line, text: script } of page.scripts) {
    if (!Object.hasOwn(manifest.scripts, script)) mistakes.push(`${line}: there is no script ${script}`);
  }
  for (const command of page.commands) {
    const fault = command.isWhole ? await wholeFault(command.words) : sketchFault(command.words);
    if (fault !== null) mistakes.push(`${command.line}: stella ${command.words.join(' ')}: ${fault}`);
  }
  return mistakes;
}

function linkFault(path: string, target: string, page: PageMentions): string | null {
  if (/^https?:/.test(target)) return null;
  const [file = '', anchor] = target.split('#');
  const resolved = file === '' ? path : posix.join(posix.dirname(path), file);
  if (!exists(resolved)) return `the link ${target} leads nowhere`;
  if (anchor === undefined) return null;
  const { anchors } = file === '' ? page : readPage(tree.read(resolved) ?? '', tops);
  return anchors.has(anchor) ? null : `the link ${target} names no heading`;
}

const silent: Terminal = {
  out: () => undefined,
  err: () => undefined,
  isOutTty: false,
  isErrTty: false,
  columns: 100,
  nowMs: () => 0,
  interrupted: new AbortController().signal,
};

const newProgram = (argv: readonly string[]): ReturnType<typeof makeProgram> =>
  makeProgram({ commands: COMMANDS, terminal: silent, argv, run: () => Promise.resolve() });

/** The program's own parser on a complete command, which is not run. */
async function wholeFault(words: readonly string[]): Promise<string | null> {
  try {
    await newProgram(words).parseAsync([...words], { from: 'user' });
    return null;
  } catch (error) {
    // Help is shown by an error too.
    const isHelp = error instanceof Error && 'exitCode' in error && error.exitCode === 0;
    return isHelp ? null : String(error instanceof Error ? error.message : error);
  }
}

/** Nouns, verbs and flags of a command that may leave out the rest: `stella promotion retry`, `stella orch serve --role`. */
function sketchFault(words: readonly string[], isVerbNeeded = false): string | null {
  let command = newProgram(words);
  for (const word of words.filter((one) => !one.startsWith('-'))) {
    if (command.commands.length === 0) break;
    const next = command.commands.find((one) => one.name() === word);
    if (!next) return `there is no "${word}"`;
    command = next;
  }
  if (isVerbNeeded && command.commands.length > 0) return 'the verb is missing';
  const known = new Set(command.options.flatMap((option) => [option.long, option.short]));
  const unknown = words.find((word) => word.startsWith('-') && word !== '--help' && !known.has(word.split('=')[0]));
  return unknown === undefined ? null : `there is no ${unknown}`;
}

describe('pages', () => {
  it.each(PAGES)('%s names only what exists', async (path) => {
    expect(await mistakesOf(path, tree.read(path) ?? '')).toEqual([]);
  });

  it('are all read: links, paths, scripts and commands are found in them', () => {
    const pages = PAGES.map((path) => readPage(tree.read(path) ?? '', tops));
    const count = (pick: (page: PageMentions) => readonly unknown[]): number => pages.flatMap(pick).length;
    expect(count((page) => page.links)).toBeGreaterThan(100);
    expect(count((page) => page.paths)).toBeGreaterThan(50);
    expect(count((page) => page.scripts)).toBeGreaterThan(20);
    expect(count((page) => page.commands.filter((command) => command.isWhole))).toBeGreaterThan(20);
    expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']));
  });

  it.each([
    ['[a file](docs/none.md)', '1: the link docs/none.md leads nowhere'],
    ['[a heading](README.md#none)', '1: the link README.md#none names no heading'],
    ['see `packages/none/src`', '1: there is no packages/none/src'],
    ['see `packages/none/<kind>.ts`', '1: there is no packages/none/<kind>.ts'],
    ['see `NONE.md`', '1: there is no NONE.md'],
    ['run `npm run none`', '1: there is no script none'],
    ['```\nnpm ci && npm run none\n```', '2: there is no script none'],
    ['run `stella promotion none`', '1: stella promotion none: there is no "none"'],
    ['run `npx stella orch serve --none`', '1: stella orch serve --none: there is no --none'],
    [
      '```\nnpx stella orch locks release --none\n```',
      "2: stella orch locks release --none: error: unknown option '--none'",
    ],
    [
      '```\nA=b npx stella promotion status\n```',
      "2: stella promotion status: error: missing required argument 'promotion'",
    ],
    [
      '```\nid=$(npx stella promotion retry)\n```',
      "2: stella promotion retry: error: missing required argument 'promotion'",
    ],
    ['```\nnpx stella apply -f examples/none\n```', '2: there is no examples/none'],
  ])('%j is found out', async (text, mistake) => {
    expect(await mistakesOf('README.md', text)).toEqual([mistake]);
  });

  it('may show what the program prints', async () => {
    const text = '```\nstella 0.1.0 listens on http://127.0.0.1:8484\nstella (command line) ──HTTP──┐\n```';
    expect(await mistakesOf('README.md', text)).toEqual([]);
  });
});

describe('commands that the program itself names', () => {
  it.each(COMMANDS.flatMap(({ examples = [] }) => examples))('the example %s is complete', async (example) => {
    expect(await mistakesOf('README.md', `\`\`\`\n${example}\n\`\`\``)).toEqual([]);
  });

  it('the next step of every error names a command that exists', () => {
    const mentions = Object.entries(ERROR_CODES).flatMap(([code, { hint }]) =>
      [...hint.matchAll(/\bstella ([a-z][^,;]*)/g)].map(([, rest = '']): [string, CommandMention['words']] => [
        code,
        rest.trim().split(' '),
      ]),
    );
    expect(mentions.length).toBeGreaterThan(30);
    const mistakes = mentions.flatMap(([code, words]) => {
      const fault = sketchFault(words, true);
      return fault === null ? [] : [`${code}: ${fault}`];
    });
    expect(mistakes).toEqual([]);
  });
});
