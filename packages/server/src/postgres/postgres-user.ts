/** Under which user PostgreSQL runs: it refuses root, and initdb refuses a user id without a name. */
import { AppError } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';

export interface PostgresUser {
  /** Null: as ourselves. */
  readonly switchTo: { readonly uid: number; readonly gid: number } | null;
  /** Of the user that the server itself is, as PostgreSQL sees it connect. */
  readonly clientName: string;
}

/** As root PostgreSQL runs as the first of these that exists. */
const ACCOUNTS = ['stella', 'nobody'] as const;

/** Errors: `database.uid`. */
export async function findPostgresUser(fileSystem: FileSystem, uid: number): Promise<PostgresUser> {
  const accounts = parsePasswd(await fileSystem.readFile('/etc/passwd', 'utf8').catch(() => ''));
  const self = accounts.find((account) => account.uid === uid);
  if (!self) {
    throw new AppError('database.uid', { details: { uid, message: 'there is no entry for it in /etc/passwd' } });
  }
  if (uid !== 0) return { switchTo: null, clientName: self.name };
  for (const name of ACCOUNTS) {
    const found = accounts.find((account) => account.name === name);
    if (found && found.uid !== 0) return { switchTo: { uid: found.uid, gid: found.gid }, clientName: self.name };
  }
  const message = `root cannot run PostgreSQL and there is no account ${ACCOUNTS.join(' or ')}`;
  throw new AppError('database.uid', { details: { uid, message } });
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** passwd(5). */
function parsePasswd(text: string): readonly Account[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
