/** Circles of waiting: none can arise while all locks are taken at once or not at all, and each is named if one does. */

/** `waiter` cannot go on before `holder`. */
export interface WaitEdge {
  readonly waiter: string;
  readonly holder: string;
}

/** Each circle once, from its smallest name on: `[['a', 'b']]` for a waits for b waits for a. Ordered by first names. */
export function findWaitCycles(edges: readonly WaitEdge[]): readonly (readonly string[])[] {
  const nextOf = new Map<string, Set<string>>();
  for (const { waiter, holder } of edges) {
    const next = nextOf.get(waiter) ?? new Set();
    next.add(holder);
    nextOf.set(waiter, next);
  }
  const cycles = new Map<string, readonly string[]>();
  const done = new Set<string>();
  for (const start of [...nextOf.keys()].sort()) walk(start, { nextOf, done, cycles, path: [] });
  return [...cycles.values()].sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1));
}

interface Walk {
  readonly nextOf: ReadonlyMap<string, ReadonlySet<string>>;
  readonly done: Set<string>;
  readonly cycles: Map<string, readonly string[]>;
  readonly path: readonly string[];
}

/** Depth first; every name is gone through once, which finds one circle of each knot. */
function walk(name: string, { path, ...rest }: Walk): void {
  const at = path.indexOf(name);
  if (at >= 0) {
    const cycle = fromSmallest(path.slice(at));
    rest.cycles.set(cycle.join(' '), cycle);
    return;
  }
  if (rest.done.has(name)) return;
  for (const next of [...(rest.nextOf.get(name) ?? [])].sort()) walk(next, { ...rest, path: [...path, name] });
  rest.done.add(name);
}

function fromSmallest(cycle: readonly string[]): readonly string[] {
  const smallest = cycle.reduce((a, b) => (a < b ? a : b));
  const at = cycle.indexOf(smallest);
  return [...cycle.slice(at), ...cycle.slice(0, at)];
}
