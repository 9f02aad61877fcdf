/** The commands of a runbook: every line of its `sh` blocks, in order, with the line that they stand on. */

export interface RunbookCommand {
  readonly line: number;
  readonly text: string;
}

export function readRunbook(text: string): readonly RunbookCommand[] {
  const commands: RunbookCommand[] = [];
  let isBlock = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('```')) isBlock = !isBlock && line === '```sh';
    else if (isBlock && line.trim() !== '') commands.push({ line: index + 1, text: line });
  }
  return commands;
}

/** Puts what this case is about where the reader would. Throws for a place that nothing is known for. */
export function fillIn(command: string, values: Readonly<Record<string, string>>): string {
  return command.replace(/<([^<>]+)>/g, (_, place: string) => {
    const value = values[place];
    if (value === undefined) throw new Error(`nothing stands for <${place}> in: ${command}`);
    return value;
  });
}
