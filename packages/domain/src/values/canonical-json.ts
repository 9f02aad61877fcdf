/**
 * Canonical JSON (RFC 8785): one text for one value, so that hashes over it agree everywhere. Object keys are sorted
 * by UTF-16 code units; `undefined` members are left out. Half a surrogate pair, which the RFC leaves to the caller to
 * refuse, is written as its escape.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('JSON has no infinite numbers');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(',')}]`;
  // `Array.isArray` does not tell a readonly array from the object that is left.
  const members = Object.entries(value as { readonly [key: string]: Json | undefined })
    .filter((member): member is [string, Json] => member[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
  return `{${members.join(',')}}`;
}
