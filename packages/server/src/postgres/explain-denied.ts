/** Why a program in the data directory may not be started: the message of `data_dir.unusable`. */
import { dirname } from 'node:path';
import { isWithin } from '../ports/within.ts';
import { type EmbeddedDeps, readIfThere } from './embedded-deps.ts';
import type { PostgresUser } from './postgres-user.ts';

const MOUNTS_FILE = '/proc/self/mounts';

/** Looks at the directories above for one that the user cannot enter, then at the mount options. */
export async function explainDenied(deps: EmbeddedDeps, directory: string, user: PostgresUser): Promise<string> {
  for (const above of [directory, ...parentsOf(directory)].toReversed()) {
    const { mode, uid, gid } = await deps.fileSystem.stat(above);
    if (user.switchTo === null || canEnter({ mode, uid, gid }, user.switchTo)) continue;
    return `PostgreSQL runs as the user id ${user.switchTo.uid}, which may not enter "${above}"; run: chmod o+x ${above}`;
  }
  const mounts = parseMounts((await readIfThere(deps.fileSystem, MOUNTS_FILE)) ?? '');
  const mount = mounts.findLast((one) => isWithin(directory, one.point));
  if (mount?.options.includes('noexec')) {
    return `it lies on "${mount.point}", which is mounted noexec: programs cannot be started from there`;
  }
  return 'programs cannot be started from there';
}

function parentsOf(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...parentsOf(above)];
}

function canEnter(entry: { mode: number; uid: number; gid: number }, user: { uid: number; gid: number }): boolean {
  if (entry.uid === user.uid) return (entry.mode & 0o100) !== 0;
  if (entry.gid === user.gid) return (entry.mode & 0o010) !== 0;
  return (entry.mode & 0o001) !== 0;
}

interface Mount {
  readonly point: string;
  readonly options: readonly string[];
}

/** Lines of proc_mounts(5), `device point type options 0 0`, with octal escapes; a later one hides an earlier one. */
export function parseMounts(text: string): readonly Mount[] {
  const mounts = text.split('\n').flatMap((line) => {
    const [, point, , options] = line.split(' ');
    if (point === undefined || options === undefined) return [];
    const unescaped = point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ point: unescaped, options: options.split(',') }];
  });
  return mounts.toSorted((a, b) => a.point.length - b.point.length);
}
