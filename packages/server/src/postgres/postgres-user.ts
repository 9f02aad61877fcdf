/**
 * As which user PostgreSQL runs. It refuses to run as root. An ordinary user runs it as itself; root runs it as the user
 * that the cluster already belongs to, else as the user `stella` when the machine has one, else as `nobody`.
 */
import { AppError } from '@stella/domain';
import { type EmbeddedDeps, readIfThere } from './embedded-deps.ts';
import type { Layout } from './layout.ts';

const ACCOUNT_NAMES = ['stella', 'nobody'];
const USER_FILE = '/etc/passwd';
/** Debian's and most others' `nobody`, where the file cannot be read. */
const NOBODY_ID = 65_534;

export interface PostgresUser {
  /** Programs are started with these ids and files handed over; null: as the server's own user. */
  readonly switchTo: { readonly uid: number; readonly gid: number } | null;
}

/** Errors: `database.uid` when the server's own user has no name, without which neither initdb nor `peer` works. */
export async function choosePostgresUser(deps: EmbeddedDeps, layout: Layout): Promise<PostgresUser> {
  const { uid, userName, fileSystem } = deps;
  if (userName === null) {
    throw new AppError('database.uid', { details: { uid, message: 'it has no entry in the user database' } });
  }
  if (uid !== 0) return { switchTo: null };
  const cluster = await fileSystem.stat(layout.cluster).catch(() => null);
  if (cluster !== null && cluster.uid !== 0) return { switchTo: { uid: cluster.uid, gid: cluster.gid } };
  const users = parseUsers((await readIfThere(fileSystem, USER_FILE)) ?? '');
  for (const name of ACCOUNT_NAMES) {
    const user = users.find((one) => one.name === name && one.uid !== 0);
    if (user) return { switchTo: { uid: user.uid, gid: user.gid } };
  }
  return { switchTo: { uid: NOBODY_ID, gid: NOBODY_ID } };
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Lines of passwd(5): `name:password:uid:gid:…`; macOS writes -2 for 4294967294. */
export function parseUsers(text: string): readonly User[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    if (name === '' || !/^-?\d+$/.test(uid) || !/^-?\d+$/.test(gid)) return [];
    return [{ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }];
  });
}
