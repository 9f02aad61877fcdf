/** Makes the data directory and finds out at once, and in clear words, when it cannot be used. */
import { join } from 'node:path';
import { AppError } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';

/** Errors: `data_dir.unusable`. Idempotent. `isRoot`: another user must be able to pass through it. */
export async function prepareDataDir(fileSystem: FileSystem, dataDir: string, isRoot: boolean): Promise<void> {
  try {
    await fileSystem.mkdir(dataDir, { recursive: true, mode: isRoot ? 0o711 : 0o700 });
    if (isRoot) await fileSystem.chmod(dataDir, 0o711);
    const probe = join(dataDir, '.write-probe');
    await fileSystem.writeFile(probe, '', { mode: 0o600, flush: true });
    await fileSystem.rm(probe);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(dataDir, `it cannot be written (${code ?? message})`, error);
  }
}

export function unusable(directory: string, message: string, cause?: unknown): AppError {
  return new AppError('data_dir.unusable', { details: { directory, message }, cause });
}
