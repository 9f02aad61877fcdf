/**
 * Rows → text for people. On a terminal a table gives way in this order: sentences are folded, then the whole table turns
 * into one block of lines per row. Ids and digests are never cut nor broken, so that they can be copied.
 */
import { displayWidth, foldText, padToWidth } from './display-width.ts';
import type { Paint } from './paint.ts';

const GAP = '  ';
/** A folded sentence is still read easily at this width; below it, blocks are better. */
const FOLDED_WIDTH_MIN = 16;
/** Longer words in sentences are URLs and paths; they may be broken. */
const WORD_WIDTH_MAX = 24;
const WHOLE_WORD = /^\W*(?:[a-z]{3}_[0-9a-f]{8,}|sha256:[0-9a-f]+)/;

export interface TableOptions {
  /** Null: as wide as it takes, one line per row; for pipes and `-o wide`. */
  readonly width: number | null;
  readonly paint: Paint;
}

/** Cells are single lines without control characters. Ends with a line break. */
export function renderTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  { width, paint }: TableOptions,
): string {
  const columns = titles.map((title, index) => [title, ...rows.map((row) => row[index] ?? '')]);
  const natural = columns.map((cells) => Math.max(...cells.map(displayWidth)));
  const widths = width === null ? natural : fitWidths(columns, natural, width);
  if (widths === null) return renderBlocks(titles, rows, { width: width ?? 0, paint });
  const head = renderRow(titles, widths, (text) => paint.title(text));
  const body = rows.map((row) => renderRow(row, widths, (text, index) => paint.cell(titles[index] ?? '', text)));
  return [head, ...body].join('');
}

/** Null when the columns cannot fit. */
function fitWidths(
  columns: readonly (readonly string[])[],
  natural: readonly number[],
  width: number,
): readonly number[] | null {
  const widths = [...natural];
  const least = columns.map((cells, index) => leastWidth(cells, natural[index] ?? 0));
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1) - width;
  while (excess > 0) {
    // From the widest that can still give way.
    const spare = widths.map((one, index) => (one > (least[index] ?? 0) ? one : 0));
    const widest = spare.indexOf(Math.max(...spare));
    if ((spare[widest] ?? 0) === 0) return null;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}

/** Only columns that hold a sentence can be folded. */
function leastWidth(cells: readonly string[], natural: number): number {
  const [title = '', ...values] = cells;
  if (!values.some((cell) => cell.includes(' '))) return natural;
  const words = values.flatMap((cell) => cell.split(' '));
  const longest = words.map((word) =>
    isWhole(word) ? displayWidth(word) : Math.min(displayWidth(word), WORD_WIDTH_MAX),
  );
  return Math.min(natural, Math.max(FOLDED_WIDTH_MIN, displayWidth(title), ...longest));
}

function isWhole(word: string): boolean {
  return WHOLE_WORD.test(word);
}

type PaintCell = (text: string, index: number) => string;

function renderRow(cells: readonly string[], widths: readonly number[], paintCell: PaintCell): string {
  const folded = cells.map((cell, index) => foldCell(cell, widths[index] ?? 0));
  const height = Math.max(1, ...folded.map((lines) => lines.length));
  let text = '';
  for (let line = 0; line < height; line += 1) {
    const parts = folded.map((lines, index) => {
      const part = lines[line] ?? '';
      return paintCell(part, index) + ' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(part)));
    });
    text += `${parts.join(GAP).trimEnd()}\n`;
  }
  return text;
}

/** A cell that fits keeps its blanks as they are. */
function foldCell(cell: string, width: number): readonly string[] {
  return displayWidth(cell) <= width ? [cell] : foldText(cell, width, isWhole);
}

/** A block of `TITLE  value` per row, with an empty line between. */
function renderBlocks(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  { width, paint }: { width: number; paint: Paint },
): string {
  const labelWidth = Math.max(...titles.map(displayWidth));
  const valueWidth = Math.max(FOLDED_WIDTH_MIN, width - labelWidth - GAP.length);
  const blocks = rows.map((row) =>
    titles.map((title, index) => renderField(title, row[index] ?? '', { labelWidth, valueWidth, paint })).join(''),
  );
  return blocks.join('\n');
}

interface FieldOptions {
  readonly labelWidth: number;
  readonly valueWidth: number;
  readonly paint: Paint;
}

function renderField(title: string, value: string, { labelWidth, valueWidth, paint }: FieldOptions): string {
  const lines = foldCell(value, valueWidth).map((part, index) => {
    const label = padToWidth(index === 0 ? title : '', labelWidth);
    return `${paint.title(label)}${GAP}${paint.cell(title, part)}`.trimEnd();
  });
  return `${lines.join('\n')}\n`;
}
