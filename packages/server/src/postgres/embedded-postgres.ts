/**
 * The embedded PostgreSQL's life: installed into the data directory, set up once, started or adopted, kept running,
 * stopped. It runs in a session of its own, so that it outlives a killed server, and the next server goes on with it.
 */
import { join } from 'node:path';
import { AppError } from '@stella/domain';
import { pause } from '../ports/clock.ts';
import { ensureBinaries, removeOtherVersions } from './binaries.ts';
import { APP_ROLE, DATABASE_NAME, OWNER_ROLE, writeSettings } from './cluster-files.ts';
import { codeOf, type EmbeddedDeps, messageOf, readIfThere } from './embedded-deps.ts';
import { type Layout, layOut } from './layout.ts';
import { boundLog } from './log-file.ts';
import { ensureCluster } from './make-cluster.ts';
import { choosePostgresUser, type PostgresUser } from './postgres-user.ts';
import { clearRemains, findPostmaster, isRunning, type Postmaster, stopPostmaster } from './postmaster.ts';
import { adoptPostmaster, type Installation, startPostmaster } from './run-postmaster.ts';

/** The postmaster is looked after this often. */
const WATCH_MS = 500;
const RESTART_PAUSE_MS = 1_000;
/** Of rounds of the watch, until the size of the log is looked at: 30 s, in which a storm of errors writes 10 MB. */
const LOG_CHECK_ROUNDS = 60;

export interface EmbeddedPostgres {
  /** For `pg`: the `host`. */
  readonly socketDirectory: string;
  /** For migrations, and for making databases. */
  readonly ownerRole: string;
  readonly appRole: string;
  readonly databaseName: string;
  readonly logFile: string;
  /** Went on with one that an earlier server had left running. */
  readonly wasAdopted: boolean;
  /** Of the postmaster; another one after it was started again. */
  readonly pid: () => number;
  /** Stops it for good: ends all sessions, within 35 s. Idempotent. */
  stop(): Promise<void>;
  /** Looks after it no longer and leaves it running: the next server adopts it. */
  leave(): Promise<void>;
}

/**
 * Answers when connections are accepted. The caller owns the data directory (`data-dir/`): two of these at a time would
 * end each other's processes. Errors: `database.platform`, `database.uid`, `database.socket_path`, `data_dir.unusable`,
 * `database.start` (also when it is not ready within 60 s; it is then left to recover, and the next start adopts it).
 */
export async function startEmbeddedPostgres(deps: EmbeddedDeps, dataDir: string): Promise<EmbeddedPostgres> {
  try {
    return await start(deps, dataDir);
  } catch (error) {
    throw translate(dataDir, error);
  }
}

async function start(deps: EmbeddedDeps, dataDir: string): Promise<EmbeddedPostgres> {
  const realPath = await deps.fileSystem.realpath(dataDir);
  const layout = layOut(realPath, { shortPath: dataDir, platform: deps.platform });
  const user = await choosePostgresUser(deps, layout);
  await makeDirectories(deps, layout, user);
  const binaries = await ensureBinaries(deps, layout, user);
  const installation: Installation = { layout, user, binaries };
  const settings = await writeAccessRules(deps, layout);
  const halt = new AbortController();
  const adopted = await adoptPostmaster(deps, installation, { needsRestart: settings.areNew, halt: halt.signal });
  const postmaster = adopted ?? (await startAnew(deps, installation, { settings, halt: halt.signal }));
  await removeOtherVersions(deps, layout, binaries.version);
  deps.logger.info({ pid: postmaster.pid, wasAdopted: adopted !== null }, 'embedded PostgreSQL runs');
  return supervise(deps, installation, { postmaster, wasAdopted: adopted !== null, halt });
}

async function startAnew(
  deps: EmbeddedDeps,
  installation: Installation,
  { settings, halt }: { settings: Settings; halt: AbortSignal },
): Promise<Postmaster> {
  const { layout } = installation;
  // Written when nothing runs any more: a server that is killed before this finds them new again.
  if (settings.areNew) await replaceFile(deps, settings.path, settings.text);
  await boundLog(deps, layout.logFile);
  await clearRemains(deps, layout);
  await ensureCluster(deps, installation);
  return startPostmaster(deps, installation, halt);
}

async function makeDirectories(deps: EmbeddedDeps, layout: Layout, { switchTo }: PostgresUser): Promise<void> {
  const { fileSystem } = deps;
  await fileSystem.mkdir(layout.binaries, { recursive: true });
  await fileSystem.mkdir(layout.config, { recursive: true });
  await fileSystem.mkdir(layout.socketDirectory, { recursive: true, mode: 0o700 });
  await fileSystem.chmod(layout.socketDirectory, 0o700);
  if (switchTo === null) return;
  const { mode } = await fileSystem.stat(layout.dataDirectory);
  await fileSystem.chmod(layout.dataDirectory, (mode & 0o7777) | 0o111);
  await fileSystem.chmod(layout.config, 0o755);
  await fileSystem.chown(layout.socketDirectory, switchTo.uid, switchTo.gid);
}

interface Settings {
  readonly path: string;
  readonly text: string;
  /** Others than at the last start, or the first. */
  readonly areNew: boolean;
}

/** Writes who may connect, which takes effect without a restart; answers the settings, which do not. */
async function writeAccessRules(deps: EmbeddedDeps, layout: Layout): Promise<Settings> {
  const files = writeSettings(layout, ['root', deps.userName ?? 'root']);
  await replaceFile(deps, join(layout.config, 'pg_hba.conf'), files.hba);
  await replaceFile(deps, join(layout.config, 'pg_ident.conf'), files.ident);
  const path = join(layout.config, 'postgresql.conf');
  const areNew = (await readIfThere(deps.fileSystem, path)) !== files.settings;
  return { path, text: files.settings, areNew };
}

async function replaceFile({ fileSystem }: EmbeddedDeps, path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await fileSystem.writeFile(draft, text);
  // The umask does not decide here: the user that PostgreSQL runs as reads it.
  await fileSystem.chmod(draft, 0o644);
  await fileSystem.rename(draft, path);
}

interface Supervised {
  readonly postmaster: Postmaster;
  readonly wasAdopted: boolean;
  readonly halt: AbortController;
}

function supervise(deps: EmbeddedDeps, installation: Installation, supervised: Supervised): EmbeddedPostgres {
  const { layout } = installation;
  const { halt, wasAdopted } = supervised;
  const current = { postmaster: supervised.postmaster };
  const watch = keepRunning(deps, installation, { current, halt: halt.signal });
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    halt.abort();
    await watch;
    // One that is started again at this moment is not in `current` yet.
    const last = (await findPostmaster(deps, layout)) ?? current.postmaster;
    const wasFast = await stopPostmaster(deps, layout, last);
    deps.logger.info({ pid: last.pid, wasFast }, 'embedded PostgreSQL stopped');
  };
  return {
    socketDirectory: layout.socketDirectory,
    ownerRole: OWNER_ROLE,
    appRole: APP_ROLE,
    databaseName: DATABASE_NAME,
    logFile: layout.logFile,
    wasAdopted,
    pid: () => current.postmaster.pid,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    async leave() {
      halt.abort();
      await watch;
      deps.logger.info({ pid: current.postmaster.pid }, 'embedded PostgreSQL is left running');
    },
  };
}

/** A postmaster that dies is started again; the pools' connections come back by themselves. Never rejects. */
async function keepRunning(
  deps: EmbeddedDeps,
  installation: Installation,
  { current, halt }: { current: { postmaster: Postmaster }; halt: AbortSignal },
): Promise<void> {
  for (let round = 1; !halt.aborted; round += 1) {
    await pause(deps.clock, WATCH_MS, halt);
    try {
      if (round % LOG_CHECK_ROUNDS === 0) await boundLog(deps, installation.layout.logFile);
      if (halt.aborted || (await isRunning(deps, current.postmaster))) continue;
      deps.logger.error({ pid: current.postmaster.pid }, 'embedded PostgreSQL ended; it is started again');
      const adopted = await adoptPostmaster(deps, installation, { needsRestart: false, halt });
      if (halt.aborted) return;
      current.postmaster = adopted ?? (await startPostmaster(deps, installation, halt));
    } catch (error) {
      deps.logger.error({ error }, 'embedded PostgreSQL cannot be looked after');
      await pause(deps.clock, RESTART_PAUSE_MS, halt);
    }
  }
}

/** Errors of the file system: the data directory does not let us work. */
function translate(dataDir: string, error: unknown): unknown {
  if (error instanceof AppError || !/^E[A-Z]+$/.test(codeOf(error))) return error;
  const details = { directory: dataDir, message: messageOf(error) };
  return new AppError('data_dir.unusable', { details, cause: error });
}
