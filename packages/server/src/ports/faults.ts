/**
 * Named places where a test may let the process die, pause or fail. In production `hit` does nothing. Names are
 * generated from the source (`faults/fault-points.ts`) or listed (`engine/fault-points.ts`, `targets/fault-points.ts`); a
 * name without a crash test fails tidy.
 */
export interface Faults {
  hit(point: string): void | Promise<void>;
}

export const NO_FAULTS: Faults = { hit: () => undefined };
