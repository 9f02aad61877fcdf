/** Where targets write. Two that write to the same place undo each other's work, whatever excludes their promotions. */
import type { TargetDefinition } from './target-definition.ts';

/** One directory is the other, or lies within it. Both in their shortest form. */
export function doOverlap(one: string, other: string): boolean {
  return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}

/**
 * A target of `next` that is also a place of another component in `former`. Components are changed side by side with
 * `concurrency: per_component`, each under a lock of its own, so a place may not go from one to another while promotions
 * live that know it as the other's. Null: there is none.
 */
export function findMovedTarget(
  former: readonly TargetDefinition[],
  next: readonly TargetDefinition[],
): TargetDefinition | null {
  return (
    next.find((target) => former.some((old) => isSamePlace(old, target) && old.component !== target.component)) ?? null
  );
}

function isSamePlace(one: TargetDefinition, other: TargetDefinition): boolean {
  return one.name === other.name || doShareDirectory(one, other);
}

/** They write below one directory of one host. */
export function doShareDirectory(one: TargetDefinition, other: TargetDefinition): boolean {
  const [first, second] = [directoryOf(one), directoryOf(other)];
  if (first === null || second === null || addressOf(one) !== addressOf(other)) return false;
  return doOverlap(first, second);
}

/** Null: one of its own, by its name. */
export function directoryOf(target: TargetDefinition): string | null {
  return target.kind === 'files' ? target.directory : (target.stateDirectory ?? null);
}

function addressOf(target: TargetDefinition): string {
  const host = target.kind === 'files' ? undefined : target.host;
  return host === undefined ? '' : `${host.ssh.address}:${host.ssh.port}`;
}
