/** Pure: the commands of an example out of its README, for a test that runs them word for word, and what they print there. */

export interface ExampleCommand {
  /** Of the page, from 1, where it begins. */
  readonly line: number;
  /** As a shell takes it, of one or more lines. */
  readonly command: string;
  /** Null when nothing is shown. */
  readonly printed: string | null;
}

interface Block {
  readonly line: number;
  readonly isCommand: boolean;
  readonly lines: string[];
}

/** Sections by their heading of the second degree. A block in `sh` is a command, one without a language what it prints. */
export function readExample(page: string): ReadonlyMap<string, readonly ExampleCommand[]> {
  const sections = new Map<string, ExampleCommand[]>();
  let section: ExampleCommand[] = [];
  let block: Block | null = null;
  for (const [index, text] of page.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(text);
    if (fence && block === null) {
      block = { line: index + 2, isCommand: fence[1] === 'sh', lines: [] };
    } else if (fence && block !== null) {
      noteBlock(section, block);
      block = null;
    } else if (block !== null) {
      block.lines.push(text);
    } else if (text.startsWith('## ')) {
      section = [];
      sections.set(text.slice('## '.length), section);
    }
  }
  return sections;
}

function noteBlock(section: ExampleCommand[], { line, isCommand, lines }: Block): void {
  const text = lines.join('\n');
  if (isCommand) {
    section.push({ line, command: text, printed: null });
    return;
  }
  const command = section.pop();
  if (command === undefined || command.printed !== null) throw new Error(`line ${line}: printed by no command`);
  section.push({ ...command, printed: text });
}

/**
 * Whether that was printed, wherever lines are folded. `…` stands for anything, as a whole line for any number of them. What is
 * not shown may be anything, too.
 */
export function isAsPrinted(printed: string | null, output: string): boolean {
  if (printed === null) return true;
  const parts = onOneLine(printed.replaceAll(/^…$/gm, '……')).split(/ ?…… ?|…/);
  const pattern = parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('.*');
  return new RegExp(`^${pattern}$`).test(onOneLine(output));
}

function onOneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
