/** Thrown by the simulation when something happened that the design says can never happen. */
import { isDeepStrictEqual } from 'node:util';

export class SafetyViolation extends Error {
  /** Which promise was broken, in the words of the design: `S1` … `S13`, `L1` … `L8`, or `purity`. */
  readonly property: string;

  constructor(property: string, message: string) {
    super(`${property}: ${message}`);
    this.name = 'SafetyViolation';
    this.property = property;
  }
}

/** Throws a `SafetyViolation` when the condition does not hold. The message is built only then. */
export function insist(property: string, condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new SafetyViolation(property, message());
}

/** The two are the same in every field. */
export function insistSame(property: string, actual: unknown, expected: unknown, what: () => string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const show = (value: unknown): string => JSON.stringify(value)?.slice(0, 1_000) ?? 'undefined';
  throw new SafetyViolation(property, `${what()}: ${show(actual)} instead of ${show(expected)}`);
}

/** Freezes a value and all that it holds; what is frozen already is taken as wholly frozen. */
export function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const field of Object.values(value)) freezeDeeply(field);
  return value;
}
