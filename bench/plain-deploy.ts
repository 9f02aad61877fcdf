/**
 * The same changes of files as a deploy of the bench `targets` makes, by a plain program: for each target the files are
 * written and synced, a link is switched, and what lies there is read back; so many targets at a time. No database, no fence.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface PlainOrder {
  /** Directories of the targets. */
  readonly directories: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly release: string;
  readonly atOnce: number;
}

export function deployPlainly({ directories, files, release, atOnce }: PlainOrder): Promise<void> {
  return inTurns(directories, atOnce, (directory) => deployOne(directory, files, release));
}

/** So many at a time. */
export async function inTurns<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const takeTurns = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, takeTurns));
}

async function deployOne(directory: string, files: PlainOrder['files'], release: string): Promise<void> {
  const place = join(directory, 'releases', release);
  await mkdir(place, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeSynced(join(place, name), text);
  await syncDirectory(place);
  await symlink(join('releases', release), join(directory, 'next'));
  await rename(join(directory, 'next'), join(directory, 'current'));
  await syncDirectory(directory);
  for (const [name, text] of Object.entries(files)) {
    const found = hashOf(await readFile(join(directory, 'current', name)));
    if (found !== hashOf(text)) throw new Error(`${name} in ${directory} is not what was written`);
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w');
  await file.writeFile(text);
  await file.sync();
  await file.close();
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync();
  await directory.close();
}

function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
