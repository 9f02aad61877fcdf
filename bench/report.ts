/** What a bench prints: progress on stderr; on stdout a table, then each row as JSON. */
export type Row = Readonly<Record<string, string | number>>;

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printRows(rows: readonly Row[]): void {
  const keys = Object.keys(rows[0] ?? {});
  const cells = [keys, ...rows.map((row) => keys.map((key) => String(row[key])))];
  const widths = keys.map((_, column) => Math.max(...cells.map((line) => (line[column] ?? '').length)));
  for (const line of cells) {
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
  process.stdout.write('\n');
  for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
}

/** 12.345 → 12.35 */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The value below which that part of the values lies: `percentile([1, 2, 3], 0.5)` is 2. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
