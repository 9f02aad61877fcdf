/** Rows → a table of plain text: columns two spaces apart, the last one free. */

const GAP = '  ';
/** A column that must give way keeps so many letters. */
const SHRUNK_WIDTH_MIN = 8;

/** `width` null: as wide as it takes. Cells that do not fit are folded onto further lines, never cut: ids stay whole. */
export function renderTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | null,
): string {
  const all = [titles, ...rows];
  const natural = titles.map((_title, index) => Math.max(...all.map((row) => lengthOf(row[index] ?? ''))));
  const widths = width === null ? natural : fit(natural, width);
  return all.map((row) => renderRow(row, widths)).join('');
}

/** Takes from the widest column until all fit, or nothing can be taken any more. */
function fit(natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    // An id is worth more than a sentence: the last column, which holds the sentences, gives way first.
    const last = widths.length - 1;
    const shrinking = (widths[last] ?? 0) > SHRUNK_WIDTH_MIN * 2 ? last : widths.indexOf(Math.max(...widths));
    if ((widths[shrinking] ?? 0) <= SHRUNK_WIDTH_MIN) break;
    widths[shrinking] = (widths[shrinking] ?? 0) - 1;
  }
  return widths;
}

function renderRow(row: readonly string[], widths: readonly number[]): string {
  const folded = row.map((cell, index) => fold(cell, widths[index] ?? cell.length));
  const height = Math.max(...folded.map((lines) => lines.length));
  let text = '';
  for (let line = 0; line < height; line += 1) {
    const cells = folded.map((lines, index) => pad(lines[line] ?? '', widths[index] ?? 0));
    text += `${cells.join(GAP).trimEnd()}\n`;
  }
  return text;
}

/** At spaces where there are some, else inside the word. */
function fold(cell: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const part of cell.split('\n')) {
    let rest = [...part];
    while (rest.length > width) {
      const space = rest.slice(0, width + 1).lastIndexOf(' ');
      const end = space > 0 ? space : width;
      lines.push(rest.slice(0, end).join(''));
      rest = rest.slice(space > 0 ? end + 1 : end);
    }
    lines.push(rest.join(''));
  }
  return lines;
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - lengthOf(text)));
}

/** In code points; wide scripts may stand a little out of line. */
function lengthOf(text: string): number {
  return [...text].length;
}
