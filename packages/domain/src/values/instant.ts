/** Instants are Unix milliseconds (UTC) inside the domain and RFC 3339 text with `Z` on the wire. */
export type InstantMs = number;

/** `1764000000000` → `'2025-11-24T16:00:00.000Z'`. */
export function toRfc3339(instantMs: InstantMs): string {
  return new Date(instantMs).toISOString();
}
