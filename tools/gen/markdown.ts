/** The few forms of Markdown that generated pages use. */

export function generatedNote(source: string): string {
  return `<!-- Written by \`npm run gen\` from ${source}; change it there. -->`;
}

/** Text for a table cell: bars and angle brackets would end the cell or vanish as HTML. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}
