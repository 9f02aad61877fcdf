/**
 * Makes the cluster: initdb, then our roles and database in single-user mode, all under another name, which is replaced
 * when the cluster is whole. The superuser `postgres` has no way to connect; single-user mode is the only one.
 */
import { dirname, join } from 'node:path';
import { AppError } from '@stella/domain';
import type { RunResult } from '../ports/processes.ts';
import { type EmbeddedDeps, messageOf, PROGRAM_ENVIRONMENT, readIfThere } from './embedded-deps.ts';
import type { Binaries } from './binaries.ts';
import type { PostgresUser } from './postgres-user.ts';
import type { Layout } from './layout.ts';
import { APP_ROLE, DATABASE_NAME, OWNER_ROLE } from './cluster-files.ts';

/** 0.5 to 0.9 s as measured; a slow disk that must sync 1,000 files needs far longer. */
const INITDB_TIMEOUT_MS = 120_000;
const SINGLE_USER_TIMEOUT_MS = 60_000;
const OUTPUT_BYTES_MAX = 1_048_576;
/** Of a program's output, in an error. */
const MESSAGE_LENGTH_MAX = 2_000;

/**
 * The owner may make databases, so that a backup can be tried beside the real one. Each statement on a line of its own:
 * single-user mode ends a statement at the line's end.
 */
const FIRST_STATEMENTS = [
  `create role ${OWNER_ROLE} login createdb`,
  `create role ${APP_ROLE} login`,
  // So that a diagnosis sees since when, and with what, another session holds a row.
  `grant pg_read_all_stats to ${APP_ROLE}`,
  `create database ${DATABASE_NAME} owner ${OWNER_ROLE}`,
];

export interface ClusterPlace {
  readonly layout: Layout;
  readonly user: PostgresUser;
  readonly binaries: Binaries;
}

/** Idempotent. Errors: `database.start`, `database.uid`. File system errors pass as they are. */
export async function ensureCluster(deps: EmbeddedDeps, place: ClusterPlace): Promise<void> {
  const { layout, binaries } = place;
  const found = await readIfThere(deps.fileSystem, join(layout.cluster, 'PG_VERSION'));
  if (found === null) {
    await makeCluster(deps, place);
    return;
  }
  const major = found.trim();
  if (major === binaries.major) return;
  throw startError(
    layout,
    `"${layout.cluster}" was made by PostgreSQL ${major}, this program brings ${binaries.major}`,
  );
}

async function makeCluster(deps: EmbeddedDeps, place: ClusterPlace): Promise<void> {
  const { layout, user } = place;
  const { fileSystem } = deps;
  const startMs = deps.clock.monotonicMs();
  await fileSystem.rm(layout.clusterDraft, { recursive: true, force: true });
  await fileSystem.mkdir(layout.clusterDraft, { mode: 0o700 });
  if (user.switchTo) await fileSystem.chown(layout.clusterDraft, user.switchTo.uid, user.switchTo.gid);
  await runInitdb(deps, place);
  await runFirstStatements(deps, place);
  await fileSystem.rename(layout.clusterDraft, layout.cluster);
  await syncDirectory(deps, dirname(layout.cluster));
  deps.logger.info({ durationMs: Math.round(deps.clock.monotonicMs() - startMs) }, 'PostgreSQL cluster made');
}

async function runInitdb(deps: EmbeddedDeps, place: ClusterPlace): Promise<void> {
  const { layout, user, binaries } = place;
  const result = await run(deps, place, {
    argv: [
      binaries.initdb,
      `--pgdata=${layout.clusterDraft}`,
      '--username=postgres',
      // Of the cluster's own file, which is never used: the server names ours.
      '--auth=peer',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--data-checksums',
      '--no-instructions',
    ],
    timeoutMs: INITDB_TIMEOUT_MS,
  });
  if (result.exitCode === 0) return;
  if (result.stderr.includes('could not look up effective user ID')) {
    throw new AppError('database.uid', {
      details: { uid: user.switchTo?.uid ?? deps.uid, message: result.stderr.trim() },
    });
  }
  throw startError(layout, `initdb failed: ${describe(result)}`);
}

async function runFirstStatements(deps: EmbeddedDeps, place: ClusterPlace): Promise<void> {
  const { layout, binaries } = place;
  const result = await run(deps, place, {
    argv: [binaries.postgres, '--single', '-j', '-D', layout.clusterDraft, '-c', 'exit_on_error=on', 'template1'],
    input: FIRST_STATEMENTS.map((statement) => `${statement};\n\n`).join(''),
    timeoutMs: SINGLE_USER_TIMEOUT_MS,
  });
  if (result.exitCode !== 0) throw startError(layout, `the first statements failed: ${describe(result)}`);
}

interface Program {
  readonly argv: readonly [string, ...string[]];
  readonly input?: string;
  readonly timeoutMs: number;
}

async function run(deps: EmbeddedDeps, place: ClusterPlace, program: Program): Promise<RunResult> {
  const { argv, ...options } = program;
  try {
    return await deps.processes.run(argv, {
      ...options,
      cwd: place.layout.clusterDraft,
      env: PROGRAM_ENVIRONMENT,
      outputBytesMax: OUTPUT_BYTES_MAX,
      ...place.user.switchTo,
    });
  } catch (error) {
    throw startError(place.layout, `"${argv[0]}" cannot be started: ${messageOf(error)}`);
  }
}

function describe(result: RunResult): string {
  if (result.isTimedOut) return 'it did not end in time';
  const output = (result.stderr || result.stdout).trim().slice(-MESSAGE_LENGTH_MAX);
  return output || `exit code ${result.exitCode ?? result.signal}`;
}

/** The rename must outlive a power loss. */
async function syncDirectory(deps: EmbeddedDeps, directory: string): Promise<void> {
  const handle = await deps.fileSystem.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function startError(layout: Layout, message: string, cause?: unknown): AppError {
  return new AppError('database.start', { details: { message, logFile: layout.logFile }, cause });
}
