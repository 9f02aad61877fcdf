/** Texts from outside, as the database can keep them. */

/** Matches no whole pair. */
const HALF_PAIR = /\p{Surrogate}/gu;

/**
 * `'a\u0000b'` → `'a\ufffdb'`. PostgreSQL's `text` holds neither U+0000 nor half a surrogate pair, and what an outside
 * service says may hold both, the second also because it was cut.
 */
export function toStorableText(text: string): string {
  return text.replaceAll('\u0000', '\ufffd').replace(HALF_PAIR, '\ufffd');
}
