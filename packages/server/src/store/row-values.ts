/** Values of columns as the driver hands them out: texts, numbers (also for `bigint` and instants), booleans, null. */

/** Null stays null; `undefined`, of a row that is not there, becomes it. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Likewise; instants are Unix milliseconds. */
export function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
