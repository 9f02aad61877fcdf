/**
 * The embedded PostgreSQL's life: set up once, started or adopted, kept running, stopped. It runs in a session of its own,
 * so that it outlives a killed server and the next one goes on with it.
 */
import { join } from 'node:path';
import pg from 'pg';
import { AppError } from '@stella/domain';
import { unusable } from '../data-dir/prepare-data-dir.ts';
import { pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { type BinariesDeps, ensureBinaries } from './binaries.ts';
import {
  APP_ROLE,
  clusterSettings,
  DATABASE_NAME,
  HOST_RULES,
  OWNER_ROLE,
  SUPERUSER,
  userMap,
} from './cluster-files.ts';
import {
  type Cluster,
  endOrphans,
  findPostmaster,
  type PostmasterDeps,
  startFailure,
  startPostmaster,
  stopPostmaster,
} from './postmaster.ts';
import { findPostgresUser, type PostgresUser } from './postgres-user.ts';

/** `sun_path` of unix(7), less its ending zero. */
const SOCKET_PATH_BYTES_MAX = 107;
const SOCKET_NAME = '.s.PGSQL.5432';
const INITDB_TIMEOUT_MS = 60_000;
/** A longer log is put aside at the next start; one old log is kept. */
const LOG_BYTES_MAX = 10 * 1_048_576;
/** The postmaster is looked after this often. */
const WATCH_MS = 500;
const RESTART_PAUSE_MS = 1_000;

export interface EmbeddedDeps extends BinariesDeps, PostmasterDeps {
  readonly logger: Logger;
  /** Of this process. */
  readonly uid: number;
}

export interface EmbeddedPostgres {
  readonly socketDirectory: string;
  readonly ownerRole: string;
  readonly appRole: string;
  readonly databaseName: string;
  /** Went on with one that an earlier server had left running. */
  readonly wasAdopted: boolean;
  readonly pid: () => number;
  /** Stops it for good. */
  stop(): Promise<void>;
}

/** Errors: `database.platform`, `database.uid`, `database.socket_path`, `data_dir.unusable`, `database.start`. */
export async function startEmbeddedPostgres(deps: EmbeddedDeps, dataDir: string): Promise<EmbeddedPostgres> {
  const socketDirectory = join(dataDir, 'run');
  refuseLongPath(join(socketDirectory, SOCKET_NAME));
  const user = await findPostgresUser(deps.fileSystem, deps.uid);
  const { postgres, initdb } = await ensureBinaries(deps, dataDir);
  const cluster: Cluster = {
    directory: join(dataDir, 'postgres'),
    postgres,
    socketDirectory,
    logFile: join(dataDir, 'postgres.log'),
    switchTo: user.switchTo,
  };
  await setAsideLog(deps, cluster.logFile);
  await ensureDirectory(deps, cluster, cluster.socketDirectory);
  const isNew = await ensureCluster(deps, { cluster, initdb, user });
  const adopted = isNew ? null : await findPostmaster(deps, cluster);
  let pid = adopted ?? (await start(deps, cluster));
  if (isNew) await makeRoles(deps, { cluster, user, pid });
  deps.logger.info({ pid, wasAdopted: adopted !== null }, 'embedded PostgreSQL runs');
  const halt = new AbortController();
  const watch = keepRunning(deps, cluster, { halt: halt.signal, getPid: () => pid, setPid: (next) => (pid = next) });
  return {
    socketDirectory,
    ownerRole: OWNER_ROLE,
    appRole: APP_ROLE,
    databaseName: DATABASE_NAME,
    wasAdopted: adopted !== null,
    pid: () => pid,
    async stop() {
      halt.abort();
      await watch;
      await stopPostmaster(deps, pid);
    },
  };
}

function refuseLongPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX) throw new AppError('database.socket_path', { details: { path, bytes } });
}

async function start(deps: EmbeddedDeps, cluster: Cluster): Promise<number> {
  const orphans = await endOrphans(deps, cluster);
  if (orphans > 0) deps.logger.warn({ orphans }, 'orphaned backends of PostgreSQL were ended');
  return startPostmaster(deps, cluster);
}

/** A postmaster that dies is started again; its connections come back by themselves. */
async function keepRunning(
  deps: EmbeddedDeps,
  cluster: Cluster,
  watch: { readonly halt: AbortSignal; readonly getPid: () => number; readonly setPid: (pid: number) => void },
): Promise<void> {
  while (!watch.halt.aborted) {
    await pause(deps.clock, WATCH_MS, watch.halt);
    if (watch.halt.aborted || (await deps.processes.inspect(watch.getPid())) !== null) continue;
    deps.logger.error({ pid: watch.getPid() }, 'embedded PostgreSQL ended; it is started again');
    try {
      watch.setPid(await start(deps, cluster));
    } catch (error) {
      deps.logger.error({ error }, 'embedded PostgreSQL could not be started again');
      await pause(deps.clock, RESTART_PAUSE_MS, watch.halt);
    }
  }
}

/** True when it was made by this call. A set-up that was interrupted is begun again. */
async function ensureCluster(
  deps: EmbeddedDeps,
  { cluster, initdb, user }: { cluster: Cluster; initdb: string; user: PostgresUser },
): Promise<boolean> {
  const { fileSystem, processes } = deps;
  const isWhole = await fileSystem.access(join(cluster.directory, 'stella-ready')).then(
    () => true,
    () => false,
  );
  if (!isWhole) {
    const leftover = await findPostmaster(deps, cluster);
    if (leftover !== null) await stopPostmaster(deps, leftover);
    await fileSystem.rm(cluster.directory, { recursive: true, force: true });
    await ensureDirectory(deps, cluster, cluster.directory);
    const run = await processes.run(
      [
        initdb,
        `--pgdata=${cluster.directory}`,
        `--username=${SUPERUSER}`,
        '--auth=peer',
        '--encoding=UTF8',
        '--locale=C',
        '--data-checksums',
        '--no-instructions',
      ],
      {
        env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
        cwd: cluster.directory,
        timeoutMs: INITDB_TIMEOUT_MS,
        outputBytesMax: 1_048_576,
        ...cluster.switchTo,
      },
    );
    if (run.exitCode !== 0) {
      throw await startFailure(
        fileSystem,
        cluster,
        `initdb failed: ${(run.stderr || run.stdout).trim().slice(-1_000)}`,
      );
    }
    await fileSystem.appendFile(join(cluster.directory, 'postgresql.conf'), "\ninclude 'stella.conf'\n");
  }
  await writeClusterFile(deps, cluster, 'stella.conf', clusterSettings(cluster.socketDirectory));
  await writeClusterFile(deps, cluster, 'pg_hba.conf', HOST_RULES);
  await writeClusterFile(deps, cluster, 'pg_ident.conf', userMap(user.clientName, !isWhole));
  return !isWhole;
}

/** As the superuser, whom the map then no longer gives to anybody. */
async function makeRoles(
  deps: EmbeddedDeps,
  { cluster, user, pid }: { cluster: Cluster; user: PostgresUser; pid: number },
): Promise<void> {
  const client = new pg.Client({ host: cluster.socketDirectory, user: SUPERUSER, database: 'postgres' });
  client.on('error', (error) => deps.logger.warn({ error }, 'the set-up connection broke'));
  await client.connect();
  try {
    await client.query(`create role ${OWNER_ROLE} login`);
    await client.query(`create role ${APP_ROLE} login`);
    await client.query(`create database ${DATABASE_NAME} owner ${OWNER_ROLE}`);
  } finally {
    await client.end();
  }
  await writeClusterFile(deps, cluster, 'pg_ident.conf', userMap(user.clientName, false));
  deps.processes.signal(pid, 'SIGHUP');
  await writeClusterFile(deps, cluster, 'stella-ready', '');
}

async function writeClusterFile(
  { fileSystem }: EmbeddedDeps,
  { directory, switchTo }: Cluster,
  name: string,
  text: string,
): Promise<void> {
  const path = join(directory, name);
  await fileSystem.writeFile(path, text, { mode: 0o600, flush: true });
  if (switchTo) await fileSystem.chown(path, switchTo.uid, switchTo.gid);
}

async function ensureDirectory({ fileSystem }: EmbeddedDeps, { switchTo }: Cluster, path: string): Promise<void> {
  await fileSystem.mkdir(path, { recursive: true, mode: 0o700 });
  await fileSystem.chmod(path, 0o700);
  if (!switchTo) return;
  await fileSystem.chown(path, switchTo.uid, switchTo.gid);
  await refuseClosedParents(fileSystem, path);
}

/** Another user must be able to pass through every directory above: 0711 is enough. */
async function refuseClosedParents(fileSystem: EmbeddedDeps['fileSystem'], path: string): Promise<void> {
  const OTHERS_PASS = 0o001;
  for (let parent = join(path, '..'); ; parent = join(parent, '..')) {
    const { mode } = await fileSystem.stat(parent);
    if ((mode & OTHERS_PASS) === 0) {
      throw unusable(path, `its parent ${parent} is closed to the user that runs PostgreSQL; run: chmod o+x ${parent}`);
    }
    if (parent === join(parent, '..')) return;
  }
}

async function setAsideLog({ fileSystem }: EmbeddedDeps, logFile: string): Promise<void> {
  const size = await fileSystem.stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_BYTES_MAX) await fileSystem.rename(logFile, `${logFile}.1`);
}
