/**
 * Files by which the owner of the machine gets in: `admin.token`, written at the first start, and `recovery.key`, new at
 * each start, which `stella auth recover` trades for a new token. Both 0600.
 */
import { join } from 'node:path';
import { type IdSource, isAppError } from '@stella/domain';
import { makeSecret } from '../auth/secrets.ts';
import { ADMIN_SUBJECT, mintAdminToken, TOKEN_LIFETIME_MAX_MS } from '../engine/commands/identity.ts';
import type { CommandStore } from '../ports/command-store.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Random } from '../ports/random.ts';
import type { ReadStore } from '../ports/read-store.ts';

export const ADMIN_TOKEN_FILE = 'admin.token';
export const RECOVERY_KEY_FILE = 'recovery.key';

interface FirstAdminDeps {
  readonly fileSystem: FileSystem;
  readonly random: Random;
  readonly ids: IdSource;
  readonly commands: CommandStore;
  readonly reads: ReadStore;
}

/**
 * The path of the token file when one was written; null when the installation has its admin already, also when another
 * server that starts at the same moment made him.
 */
export async function ensureFirstAdmin(deps: FirstAdminDeps, dataDir: string): Promise<string | null> {
  if (await hasAdmin(deps.reads)) return null;
  const { secret, hash } = makeSecret(deps.random, 'token');
  const path = join(dataDir, ADMIN_TOKEN_FILE);
  // The file first: a token that nobody can read would be lost, one that is not known yet does no harm.
  await writePrivately(deps.fileSystem, path, secret);
  try {
    await deps.commands.transact(null, async (tx) => {
      await mintAdminToken(tx, deps, { personId: null, tokenHash: hash, lifetimeMs: TOKEN_LIFETIME_MAX_MS });
      return { status: 201, body: {} };
    });
  } catch (error) {
    if (!isAppError(error, 'person.exists')) throw error;
    await deps.fileSystem.rm(path, { force: true });
    return null;
  }
  return path;
}

export async function writeRecoveryKey(
  { fileSystem, random }: Pick<FirstAdminDeps, 'fileSystem' | 'random'>,
  dataDir: string,
): Promise<void> {
  await writePrivately(fileSystem, join(dataDir, RECOVERY_KEY_FILE), makeSecret(random, 'recovery').secret);
}

/** Null when there is none. Read each time: removing the file closes the way. */
export async function readRecoveryKey(fileSystem: FileSystem, dataDir: string): Promise<string | null> {
  try {
    return (await fileSystem.readFile(join(dataDir, RECOVERY_KEY_FILE), 'utf8')).trim();
  } catch {
    // Missing or not readable is the same here: nobody can recover with it.
    return null;
  }
}

async function hasAdmin(reads: ReadStore): Promise<boolean> {
  try {
    await reads.findPerson(ADMIN_SUBJECT);
    return true;
  } catch (error) {
    if (isAppError(error, 'person.not_found')) return false;
    throw error;
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
export async function writePrivately(fileSystem: FileSystem, path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await fileSystem.rm(draft, { force: true });
  await fileSystem.writeFile(draft, `${text}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await fileSystem.rename(draft, path);
}
