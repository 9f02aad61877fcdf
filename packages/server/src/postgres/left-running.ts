/** The embedded PostgreSQL as seen from outside of a server: whether it runs, and stopping one that no server owns. */
import { basename, dirname, join } from 'node:path';
import { type EmbeddedDeps, readIfThere } from './embedded-deps.ts';
import { type Layout, layOut } from './layout.ts';
import { clearRemains, findPostmaster, readStatus, stopPostmaster } from './postmaster.ts';

export interface EmbeddedSight {
  /** The data directory holds a cluster of ours. */
  readonly isMade: boolean;
  /** Null: it does not run. */
  readonly pid: number | null;
  readonly status: 'starting' | 'ready' | 'stopping' | 'unknown' | null;
  /** `18`; null when there is no cluster. */
  readonly version: string | null;
}

/** Only looks. */
export async function lookAtEmbedded(deps: EmbeddedDeps, dataDir: string): Promise<EmbeddedSight> {
  const layout = await findLayout(deps, dataDir);
  const version = layout && (await readIfThere(deps.fileSystem, join(layout.cluster, 'PG_VERSION')).catch(() => ''));
  if (layout === null || version === null) return { isMade: false, pid: null, status: null, version: null };
  const found = await findPostmaster(deps, layout);
  const status = found && (await readStatus(deps, layout, found.pid));
  return { isMade: true, pid: found?.pid ?? null, status, version: versionOf(found?.executable ?? null, version) };
}

/** Of the programs that run, else of the files. */
function versionOf(executable: string | null, text: string): string | null {
  // …/postgres-bin/18.4.0-beta.17/bin/postgres
  return executable === null ? text.trim() || null : basename(dirname(dirname(executable)));
}

/**
 * Stops the one that a killed server left, and what a killed postmaster left; false when nothing ran. Only by the data
 * directory's owner.
 */
export async function stopEmbedded(deps: EmbeddedDeps, dataDir: string): Promise<boolean> {
  const layout = await findLayout(deps, dataDir);
  const found = layout && (await findPostmaster(deps, layout));
  if (layout === null) return false;
  if (found !== null) await stopPostmaster(deps, layout, found);
  await clearRemains(deps, layout);
  return found !== null;
}

/** Null when there is no such directory, or one in which no embedded PostgreSQL can run. */
async function findLayout(deps: EmbeddedDeps, dataDir: string): Promise<Layout | null> {
  try {
    return layOut(await deps.fileSystem.realpath(dataDir), { shortPath: dataDir, platform: deps.platform });
  } catch {
    // Not there yet, or its path is too long for a socket: the server says so when it starts.
    return null;
  }
}
