/**
 * Several writes as one statement of PostgreSQL: each becomes a data-modifying `with` query, so a decision of many parts
 * costs one statement to send, to parse and to answer. All of them see the same snapshot and run exactly once; foreign
 * keys are checked at the end of the whole. No two of them may touch the same row.
 */
import type { Statement } from './connection.ts';

export interface Part {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** Names are kept short: PostgreSQL cuts those of prepared statements at 63 bytes. */
const combined = new Map<string, Statement>();

/**
 * The main part last, for its row count is what the whole answers; the others keep their order.
 * `combine({ a with $1 }, [{ b with $1, $2 }])` → `with b as (… $1, $2) a … $3`.
 */
export function combine(main: Part, others: readonly Part[]): [Statement, readonly unknown[]] {
  const parts = [...others, main];
  const key = parts.map(({ statement }) => statement.name).join('+');
  let statement = combined.get(key);
  if (!statement) {
    statement = { name: `combined_${combined.size}`, text: textOf(parts) };
    combined.set(key, statement);
  }
  return [statement, parts.flatMap(({ values }) => values)];
}

/** `'combined_3'` → the names of its parts; any other name stands for itself. */
export function partNames(name: string): readonly string[] {
  for (const [key, statement] of combined) {
    if (statement.name === name) return key.split('+');
  }
  return [name];
}

function textOf(parts: readonly Part[]): string {
  let offset = 0;
  const texts = parts.map(({ statement, values }) => {
    const start = offset;
    offset += values.length;
    return statement.text.replace(/\$(\d+)/g, (_, n: string) => `$${Number(n) + start}`);
  });
  const main = texts.pop() ?? '';
  const queries = texts.map((text, index) => `${parts[index]?.statement.name} as (${text})`);
  return queries.length === 0 ? main : `with ${queries.join(', ')} ${main}`;
}
