/**
 * JSON that every reader understands the same way. Pure. `JSON.parse` keeps the last of two equal keys and other parsers
 * keep the first, so a key that is there twice is refused (RFC 8259, section 4).
 */

/** Nesting of objects and lists; documents of OCI need five. */
export const JSON_DEPTH_MAX = 32;

/**
 * UTF-8 bytes → a JSON value. Throws what `refuse` makes; its message never repeats the bytes, since they may belong to
 * a file that the caller should not see.
 */
export function parseStrictJson(bytes: Uint8Array, refuse: (message: string) => Error): unknown {
  const text = decode(bytes);
  if (text === null) throw refuse('it is not UTF-8 text');
  // Before parsing: V8 needs a second for millions of nested lists.
  const fault = findFault(text);
  if (fault !== null) throw refuse(fault);
  const value = parse(text);
  if (value === undefined) throw refuse('it is not valid JSON');
  return value;
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: the caller says so.
    return null;
  }
}

/** Undefined, which no JSON text stands for, when the text is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller says so.
    return undefined;
  }
}

/**
 * A string, or a sign that opens, closes or separates; numbers and words are passed over. A string that is never closed
 * reaches to the end: else each of its quotes would be tried as the begin of one, in quadratic time.
 */
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|[{}[\]:,]/g;

/** Scans for depth and equal keys; what it says about a text that is no JSON has no meaning, but it ends. */
function findFault(text: string): string | null {
  // For each open object the keys seen so far; null for an open list.
  const open: (Set<unknown> | null)[] = [];
  let isKeyNext = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.length === JSON_DEPTH_MAX) return `it is nested deeper than ${JSON_DEPTH_MAX} levels`;
      open.push(token === '{' ? new Set() : null);
      isKeyNext = token === '{';
    } else if (token === '}' || token === ']') {
      open.pop();
      isKeyNext = false;
    } else if (token === ',') {
      isKeyNext = open.at(-1) !== null;
    } else if (token.startsWith('"') && isKeyNext) {
      isKeyNext = false;
      const key = parse(token);
      const seen = open.at(-1);
      if (seen?.has(key)) return 'an object in it has the same key twice';
      seen?.add(key);
    }
  }
  return null;
}
