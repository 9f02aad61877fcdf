/** Where targets write. Two that write to the same place undo each other's work, whatever excludes their promotions. */
import { componentWords } from './target-components.ts';
import type { DockerTargetDefinition, TargetDefinition, TargetHostDefinition } from './target-definition.ts';

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
    next.find((target) =>
      former.some((old) => isSamePlace(old, target) && componentWords(old) !== componentWords(target)),
    ) ?? null
  );
}

function isSamePlace(one: TargetDefinition, other: TargetDefinition): boolean {
  return one.name === other.name || doShareSpace(one, other);
}

/** They write below one directory of one host, or make one container or project of one engine. */
export function doShareSpace(one: TargetDefinition, other: TargetDefinition): boolean {
  if (addressOf(one) !== addressOf(other)) return false;
  if (one.kind === 'docker' && other.kind === 'docker' && one.container === other.container) {
    if (socketOf(one) === socketOf(other)) return true;
  }
  if (one.kind === 'compose' && other.kind === 'compose' && one.project === other.project) {
    if (socketOf(one) === socketOf(other)) return true;
  }
  const [first, second] = [directoryOf(one), directoryOf(other)];
  return first !== null && second !== null && doOverlap(first, second);
}

/** Docker's own is meant where none is named. */
function socketOf({ socket }: Pick<DockerTargetDefinition, 'socket'>): string {
  return (socket ?? '/run/docker.sock').replace(/^\/var\/run\//, '/run/');
}

/** Null: one of its own, by its name. */
export function directoryOf(target: TargetDefinition): string | null {
  return target.kind === 'files' ? target.directory : (target.stateDirectory ?? null);
}

function addressOf(target: TargetDefinition): string {
  const host = hostOf(target);
  return host === null ? '' : `${host.ssh.address}:${host.ssh.port}`;
}

/** Null: the machine of the orchestrator. */
export function hostOf(target: TargetDefinition): TargetHostDefinition | null {
  return target.host ?? null;
}

/** As SSH names it, `deploy@10.0.0.5:22`; null: the machine of the orchestrator. */
export function hostNameOf(target: TargetDefinition): string | null {
  const ssh = hostOf(target)?.ssh;
  return ssh === undefined ? null : `${ssh.user}@${ssh.address}:${ssh.port}`;
}

/**
 * What keeps the fence of a target: names in its own `directory` on this machine (decision 8), or a `script` that decides and stores in one
 * step on its host. A kind that cannot keep one would be a third, and would get the lock delay.
 */
export const FENCE_KEEPERS = ['directory', 'script'] as const;
export type FenceKeeper = (typeof FENCE_KEEPERS)[number];

export function fenceKeeperOf({ kind, host }: TargetDefinition): FenceKeeper {
  return kind === 'files' && host === undefined ? 'directory' : 'script';
}
