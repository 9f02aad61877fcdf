/** A view → stdout, in the format that was asked for. Tables fit the terminal; data formats hold everything. */
import { stringify } from 'yaml';
import type { GlobalOptions, Terminal } from '../command.ts';
import { makeHarmless } from '../harmless.ts';
import type { TableView, View } from '../view.ts';
import { renderTable } from './table.ts';

export function showView(terminal: Terminal, globals: GlobalOptions, view: View): void {
  const { output } = globals;
  switch (output) {
    case 'json':
      terminal.out(`${JSON.stringify(dataOf(view), null, 2)}\n`);
      break;
    case 'yaml':
      terminal.out(stringify(dataOf(view)));
      break;
    case 'jsonl':
      terminal.out(
        rowsOf(view)
          .map((row) => `${JSON.stringify(row)}\n`)
          .join(''),
      );
      break;
    case 'name':
      terminal.out(
        namesOf(view)
          .map((name) => `${makeHarmless(name)}\n`)
          .join(''),
      );
      break;
    case 'table':
    case 'wide':
      showForPeople(terminal, globals, view);
      break;
  }
}

function showForPeople(terminal: Terminal, { output, isQuiet }: GlobalOptions, view: View): void {
  const isWide = output === 'wide';
  if (view.kind === 'text') {
    const text = view.text(terminal.nowMs(), isWide);
    if (text !== '') terminal.out(`${makeHarmless(text)}\n`);
    return;
  }
  const table: TableView<unknown> = view as TableView<unknown>;
  if (table.rows.length === 0) {
    if (!isQuiet) terminal.err(`${table.whenEmpty}\n`);
    return;
  }
  const columns = table.columns.filter((column) => isWide || column.isWide !== true);
  const nowMs = terminal.nowMs();
  const cells = table.rows.map((row) => columns.map((column) => makeHarmless(column.value(row, nowMs))));
  const width = terminal.isOutTty && !isWide ? terminal.columns : null;
  terminal.out(
    renderTable(
      columns.map((column) => column.title),
      cells,
      width,
    ),
  );
}

function dataOf(view: View): unknown {
  return view.kind === 'text' ? view.data : (view.data ?? view.rows);
}

function rowsOf(view: View): readonly unknown[] {
  return view.kind === 'text' ? [view.data] : view.rows;
}

function namesOf(view: View): readonly string[] {
  if (view.kind === 'text') return [view.name];
  const table: TableView<unknown> = view as TableView<unknown>;
  return table.rows.map((row) => table.nameOf(row));
}
