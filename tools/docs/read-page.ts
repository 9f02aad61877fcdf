/**
 * What a page of documentation names that may go out of date: links, paths, scripts of npm, commands of stella. Pure:
 * text in, mentions out; whether they exist is for others to say.
 */

export interface Mention {
  /** From 1. */
  readonly line: number;
  /** As the page has it: `../README.md#top`, `packages/domain/src`, `demo`. */
  readonly text: string;
}

export interface CommandMention {
  readonly line: number;
  /** After `stella`: `['promotion', 'status', 'prm_…']`. */
  readonly words: readonly string[];
  /** In a code block it must be complete; in a sentence it may leave out what the sentence is not about. */
  readonly isWhole: boolean;
}

export interface PageMentions {
  readonly links: readonly Mention[];
  readonly paths: readonly Mention[];
  readonly scripts: readonly Mention[];
  readonly commands: readonly CommandMention[];
  /** Anchors of the headings. */
  readonly anchors: ReadonlySet<string>;
}

/** Blocks in these languages hold no commands. */
const DATA_LANGUAGES: ReadonlySet<string> = new Set(['json', 'yaml', 'mermaid']);
/** `env -u NAME A=b NAME=value ` before a command. */
const SURROUNDINGS = /^(?:env\s+(?:-u\s+\w+\s+)*)?(?:\w+=\S*\s+)*/;
/** `name=$(command)` */
const ASSIGNED = /^\w+="?\$\((.*)\)"?$/;
const WORDS = /"[^"]*"|\S+/g;

/** `tops` are the files and folders of the root: a text in backticks is a path when it begins with one of them. */
export function readPage(page: string, tops: ReadonlySet<string>): PageMentions {
  const links: Mention[] = [];
  const paths: Mention[] = [];
  const scripts: Mention[] = [];
  const commands: CommandMention[] = [];
  const anchors = new Set<string>();
  const noteCommand = (line: number, text: string, isWhole: boolean): void => {
    for (const part of splitCommands(text)) {
      const script = scriptIn(part);
      if (script !== null) scripts.push({ line, text: script });
      const words = stellaWordsIn(part);
      if (words) commands.push({ line, words, isWhole });
      if (isWhole && (script !== null || words)) {
        for (const word of part.match(WORDS) ?? []) if (isPath(word, tops)) paths.push({ line, text: word });
      }
    }
  };
  for (const { line, text, language } of readLines(page)) {
    if (language !== null) {
      if (!DATA_LANGUAGES.has(language)) noteCommand(line, text, true);
      continue;
    }
    const heading = /^#+ (.*)$/.exec(text)?.[1];
    if (heading !== undefined) anchors.add(toAnchor(heading));
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) links.push({ line, text: target });
    for (const [, code = ''] of text.matchAll(/`([^`]+)`(?!\]\()/g)) {
      if (isPath(code, tops)) paths.push({ line, text: code });
      else noteCommand(line, code, false);
    }
  }
  return { links, paths, scripts, commands, anchors };
}

interface PageLine {
  readonly line: number;
  readonly text: string;
  /** Of the code block that it stands in, `''` for one without; null outside of any. */
  readonly language: string | null;
}

function readLines(page: string): readonly PageLine[] {
  const lines: PageLine[] = [];
  let language: string | null = null;
  for (const [index, text] of page.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(text);
    if (fence) language = language === null ? (fence[1] ?? '') : null;
    else lines.push({ line: index + 1, text, language });
  }
  return lines;
}

/** `$ npm ci && npm test  # all` → `['npm ci', 'npm test']`, without what surrounds each. */
function splitCommands(text: string): readonly string[] {
  return text
    .trim()
    .replace(/^\$ /, '')
    .replace(/\s#\s.*$/, '')
    .split(' && ')
    .map((part) =>
      part
        .trim()
        .replace(ASSIGNED, '$1')
        .replace(SURROUNDINGS, '')
        .replace(/ > \S+$/, ''),
    );
}

/** `npm run demo -- --keep` → `demo`; `npm test` → `test`. */
function scriptIn(command: string): string | null {
  const [, script = null] = /^npm (?:run )?([\w:-]+)/.exec(command) ?? [];
  return script === 'ci' && !command.startsWith('npm run') ? null : script;
}

/** Null when it is no command of ours: `stella 0.1.0 listens` is what the program prints. */
function stellaWordsIn(command: string): readonly string[] | null {
  const rest = /^(?:npx )?stella ([a-z-].*)$/.exec(command)?.[1];
  return rest?.match(WORDS)?.map((word) => word.replaceAll('"', '')) ?? null;
}

function isPath(text: string, tops: ReadonlySet<string>): boolean {
  if (/\s/.test(text)) return false;
  const [top = '', ...rest] = text.split('/');
  return rest.length > 0 ? tops.has(top) : /\.(md|ts|sh)$/.test(text) && !text.includes('*');
}

/** As GitHub makes them: `What is there, and what not` → `what-is-there-and-what-not`. */
function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
