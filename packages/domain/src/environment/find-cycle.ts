/** Environments must not promote in a circle: nothing could ever enter it. */
import type { EnvironmentDefinition } from './environment-definition.ts';

/**
 * `dev ← staging ← dev` → `['dev', 'staging', 'dev']`; null when there is no circle. Names that are not defined are
 * passed over.
 */
export function findCycle(
  definitions: readonly Pick<EnvironmentDefinition, 'name' | 'promotesFrom'>[],
): readonly string[] | null {
  const byName = new Map(definitions.map((one) => [one.name, one.promotesFrom]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): readonly string[] | null => {
    const start = path.indexOf(name);
    if (start >= 0) return [...path.slice(start), name];
    if (done.has(name)) return null;
    for (const next of byName.get(name) ?? []) {
      const found = visit(next, [...path, name]);
      if (found) return found;
    }
    done.add(name);
    return null;
  };
  for (const name of byName.keys()) {
    const found = visit(name, []);
    if (found) return found;
  }
  return null;
}
