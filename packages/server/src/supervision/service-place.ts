/**
 * Where `stella service` keeps what, in `service/` of the data directory: `install.json` and `environment` say how the
 * orchestrator is started, `secrets` holds what a person wrote there, `supervisor.pid` which supervisor owns it, `state.json` what that one does, and
 * `orchestrator.log` what server and supervisor said. Only the owner of the data directory may look into it.
 */
import { join } from 'node:path';
import type { FileSystem } from '../ports/file-system.ts';

/** As `OWNER_FILE` is for servers: one supervisor per data directory. */
export const SUPERVISOR_FILE = 'supervisor.pid';

export interface ServicePlace {
  readonly dataDir: string;
  readonly directory: string;
  readonly installFile: string;
  readonly environmentFile: string;
  /** Written by a person, or not there. */
  readonly secretsFile: string;
  readonly stateFile: string;
  readonly logFile: string;
}

export function placeOf(dataDir: string): ServicePlace {
  const directory = join(dataDir, 'service');
  return {
    dataDir,
    directory,
    installFile: join(directory, 'install.json'),
    environmentFile: join(directory, 'environment'),
    secretsFile: join(directory, 'secrets'),
    stateFile: join(directory, 'state.json'),
    logFile: join(directory, 'orchestrator.log'),
  };
}

/** Idempotent. The data directory itself is there already. */
export async function makePlace(fileSystem: FileSystem, { directory }: ServicePlace): Promise<void> {
  await fileSystem.mkdir(directory, { recursive: true, mode: 0o700 });
  await fileSystem.chmod(directory, 0o700);
}

/** Others see the old text or the new one, never a part of it. */
export async function replaceText(fileSystem: FileSystem, path: string, text: string): Promise<void> {
  await fileSystem.writeFile(`${path}.new`, text, { mode: 0o600 });
  await fileSystem.rename(`${path}.new`, path);
}

/** Null when the file is not there, or holds something else than an object. */
export async function readObject(
  fileSystem: FileSystem,
  path: string,
): Promise<Readonly<Record<string, unknown>> | null> {
  const text = await fileSystem.readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    // Cut off by a power loss, or not ours.
    return null;
  }
}
