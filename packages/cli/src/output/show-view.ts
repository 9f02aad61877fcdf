/** A view → stdout, in the format that was asked for. Tables fit the terminal; data formats hold everything. */
import type { GlobalOptions, Terminal } from '../command.ts';
import { makeHarmless } from '../harmless.ts';
import type { TableView, View } from '../view.ts';
import { toJsonText, toYamlText } from './data-text.ts';
import { fenceText, renderMarkdownTable } from './markdown.ts';
import { COLOR_PAINT, PLAIN_PAINT } from './paint.ts';
import { renderTable } from './table.ts';

type Shown = Pick<Terminal, 'out' | 'err' | 'isOutTty' | 'columns' | 'nowMs'>;
type Wanted = Pick<GlobalOptions, 'output' | 'isQuiet' | 'isColored'>;

/** Nothing to show is an empty list for programs, and a word on stderr for people. */
export function showView(terminal: Shown, wanted: Wanted, view: View): void {
  const { output } = wanted;
  switch (output) {
    case 'json':
      terminal.out(`${toJsonText(dataOf(view), true)}\n`);
      break;
    case 'yaml':
      terminal.out(toYamlText(dataOf(view)));
      break;
    case 'jsonl':
      terminal.out(asLines(rowsOf(view).map((row) => toJsonText(row, false))));
      break;
    case 'name':
      terminal.out(asLines(namesOf(view).map(oneLine)));
      break;
    case 'markdown':
      showAsMarkdown(terminal, view);
      break;
    case 'table':
    case 'wide':
      showForPeople(terminal, wanted, view);
      break;
  }
}

function showForPeople(terminal: Shown, { output, isQuiet, isColored }: Wanted, view: View): void {
  const isWide = output === 'wide';
  const paint = isColored ? COLOR_PAINT : PLAIN_PAINT;
  if (view.kind === 'text') {
    const text = makeHarmless(view.text(terminal.nowMs(), isWide));
    if (text !== '') terminal.out(`${paint.text(text)}\n`);
    return;
  }
  const table = anyRows(view);
  if (table.rows.length === 0) {
    if (!isQuiet) terminal.err(`${makeHarmless(table.whenEmpty)}\n`);
    return;
  }
  const columns = table.columns.filter((column) => isWide || column.isWide !== true);
  const nowMs = terminal.nowMs();
  const titles = columns.map((column) => column.title);
  const rows = table.rows.map((row) => columns.map((column) => oneLine(column.value(row, nowMs))));
  // One line per row where a program may read it, and where all of it was asked for.
  const width = terminal.isOutTty && !isWide ? terminal.columns : null;
  terminal.out(renderTable(titles, rows, { width, paint }));
}

/** For tickets and chats: a table with all columns, or the text as it is. */
function showAsMarkdown(terminal: Shown, view: View): void {
  const nowMs = terminal.nowMs();
  if (view.kind === 'text') {
    terminal.out(fenceText(makeHarmless(view.text(nowMs, true))));
    return;
  }
  const { columns, rows } = anyRows(view);
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row, nowMs))));
  terminal.out(
    renderMarkdownTable(
      columns.map((column) => column.title),
      cells,
    ),
  );
}

/** A line break in a name must not begin a row that is not there. */
function oneLine(text: string): string {
  return makeHarmless(text.replace(/\s*[\r\n\t\u2028\u2029]\s*/g, ' '));
}

function asLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** The rows and what reads them are of one type, made so by `tableView`. */
function anyRows(view: TableView<never>): TableView {
  return view;
}

function dataOf(view: View): unknown {
  return view.kind === 'text' ? view.data : (view.data ?? view.rows);
}

function rowsOf(view: View): readonly unknown[] {
  return view.kind === 'text' ? [view.data] : view.rows;
}

function namesOf(view: View): readonly string[] {
  if (view.kind === 'text') return [view.name];
  const table = anyRows(view);
  return table.rows.map((row) => table.nameOf(row));
}
