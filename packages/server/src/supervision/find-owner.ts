/** Which process stands behind a file of `data-dir/`: here, elsewhere, or none. A signal goes only to one that is here. */
import { join } from 'node:path';
import { judgeOwner, type IdentityDeps, type OwnerIdentity, parseOwner } from '../data-dir/owner-identity.ts';

export type FoundOwner =
  | { readonly kind: 'here'; readonly owner: OwnerIdentity }
  /** In another container, on another machine, or before a restart of this one: it may be gone. */
  | { readonly kind: 'elsewhere'; readonly owner: OwnerIdentity };

/** Null when nobody does: there is no such file, or its process is gone. */
export async function findOwner(deps: IdentityDeps, directory: string, file: string): Promise<FoundOwner | null> {
  const text = await deps.fileSystem.readFile(join(directory, file), 'utf8').catch(() => null);
  const owner = text === null ? null : parseOwner(text);
  if (owner === null) return null;
  const verdict = await judgeOwner(deps, owner);
  if (verdict === 'gone') return null;
  return { kind: verdict === 'live' ? 'here' : 'elsewhere', owner };
}
