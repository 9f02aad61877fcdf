/** Lists come in pages; the next one is a flag away. */
import type { CommandContext, OptionSpec } from '../command.ts';

export const PAGE_OPTIONS: readonly OptionSpec[] = [
  { flags: '--limit <count>', summary: 'rows of one page, 1 to 500 (50)' },
  { flags: '--cursor <cursor>', summary: 'the page after this place' },
];

export function noteNextPage({ terminal, globals }: CommandContext, next: string | null): void {
  if (next !== null && !globals.isQuiet) terminal.err(`more: add --cursor ${next}\n`);
}
