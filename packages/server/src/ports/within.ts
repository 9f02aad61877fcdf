/** Whether a path lies at or below a folder, as both are written: whoever fears links asks again with real paths. */
import { isAbsolute, relative } from 'node:path';

export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
}

export function isWithinAny(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => isWithin(path, folder));
}
