/** The text of somebody's query as it may be shown: what it does, without the values in it, which may be secrets. */

/** So much tells what a query does. */
const QUERY_LENGTH_MAX = 120;

/** Comments, quoted texts of every kind, numbers. A text that was cut off has no closing quote: it goes to the end. */
const HIDDEN =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[eEbBxXnN]?'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|\b\d[\w.]*/g;

/** `update t set a = 'x' where id = 5` → `update t set a = ? where id = ?` */
export function withoutLiterals(query: string): string {
  const shown = query.replace(HIDDEN, (text) => (text.startsWith('--') || text.startsWith('/*') ? ' ' : '?'));
  const line = shown.replace(/\s+/g, ' ').trim();
  return line.length > QUERY_LENGTH_MAX ? `${line.slice(0, QUERY_LENGTH_MAX)}…` : line;
}
