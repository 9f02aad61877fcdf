/** Words of the domain as SQL: constraints take their values from the domain's arrays, so that the two cannot differ. */

/** `['a', 'b']` → `('a', 'b')`; the words are the domain's own and hold no quotes. */
export function among(words: readonly string[]): string {
  return `(${words.map((word) => `'${word}'`).join(', ')})`;
}
