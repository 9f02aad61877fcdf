/** What a command shows, apart from how: rows with columns, or one thing as a text; the same data as JSON. */
export interface Column<Row> {
  readonly title: string;
  /** Text of a cell; ages and such are relative to `nowMs`, and only where people look. */
  value(row: Row, nowMs: number): string;
  /** Only with `-o wide`. */
  readonly isWide?: boolean;
}

export interface TableView<Row = unknown> {
  readonly kind: 'table';
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  /** For `-o name`. */
  nameOf(row: Row): string;
  /** For `-o json|yaml`; by default the rows. */
  readonly data?: unknown;
  /** Shown on stderr when there are no rows. */
  readonly whenEmpty: string;
}

export interface TextView {
  readonly kind: 'text';
  /** Lines for people, without colour. */
  text(nowMs: number, isWide: boolean): string;
  readonly data: unknown;
  readonly name: string;
}

export type View = TableView<never> | TextView;

/** Keeps the row's type inside: `View` holds tables of any row. */
export function tableView<Row>(view: Omit<TableView<Row>, 'kind'>): View {
  return { kind: 'table', ...view } as unknown as View;
}

export function textView(view: Omit<TextView, 'kind'>): View {
  return { kind: 'text', ...view };
}
