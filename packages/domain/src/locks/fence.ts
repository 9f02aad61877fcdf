/**
 * A fence orders operations at a target: `(installation epoch, n)`, n drawn from one sequence of the database.
 * Targets refuse what is lower than the highest they have seen (safety S2, S4).
 */
export interface Fence {
  /** Raised when the database itself was replaced, so that numbers drawn before never win. */
  readonly epoch: number;
  readonly n: number;
}

/** Negative when `a` is older than `b`, 0 when they are the same, positive when it is newer. */
export function compareFences(a: Fence, b: Fence): number {
  return a.epoch - b.epoch || a.n - b.n;
}

/** `{ epoch: 1, n: 42 }` → `'1.42'`. */
export function formatFence(fence: Fence): string {
  return `${fence.epoch}.${fence.n}`;
}

/** `'1.42'` → `{ epoch: 1, n: 42 }`; null for any other text. */
export function parseFence(text: string): Fence | null {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  return match ? { epoch: Number(match[1]), n: Number(match[2]) } : null;
}
