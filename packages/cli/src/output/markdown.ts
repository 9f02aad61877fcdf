/** Rows and texts as Markdown, so that what a command says can be pasted into a ticket. */

/** Cells are single lines. A bar would end its cell, and a backslash before it would free it again. */
export function renderMarkdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |\n`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('');
}

/** Fenced by more backticks than the text has anywhere, so that it cannot end the block. */
export function fenceText(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}\n`;
}

function escapeCell(text: string): string {
  return text.replace(/[\\|]/g, (character) => `\\${character}`).replaceAll('<', '&lt;');
}
