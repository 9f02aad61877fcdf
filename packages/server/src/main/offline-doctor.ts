/**
 * The doctor without an orchestrator: straight from the database, in transactions that can only read, and from the processes,
 * files and disk of this machine. What only the orchestrator can tell is skipped, and says so. Changes nothing.
 */
import { hostname, homedir } from 'node:os';
import { AppError, isAppError, makeIds, STANDARD_SETTINGS } from '@stella/domain';
import { readServerConfig, type ServerConfig } from '../config/server-config.ts';
import { makeDiagnoser } from '../diagnosis/diagnoser.ts';
import type { Check, DoctorDeps } from '../doctor/check.ts';
import { CHECK_FAMILIES, CHECKS } from '../doctor/checks.ts';
import { disk } from '../doctor/checks/disk.ts';
import { type CheckResult, runChecks } from '../doctor/run-checks.ts';
import { type Machine, machineChecks, skippedCheck } from '../offline/machine-checks.ts';
import { lookAtMachine } from '../offline/machine-sight.ts';
import { APP_ROLE, DATABASE_NAME } from '../postgres/cluster-files.ts';
import { layOut } from '../postgres/layout.ts';
import { type Database, openDatabase, query } from '../store/connection.ts';
import { makeImmutableRows } from '../store/immutable-rows.ts';
import { makeNotificationStore } from '../store/postgres-notification-store.ts';
import { makeAuditStore } from '../store/postgres-audit-store.ts';
import { makeProbeStore } from '../store/postgres-probe-store.ts';
import { makeReadStore } from '../store/postgres-read-store.ts';
import type { DatabaseAddress } from '../store/primary.ts';
import { readInstallation } from '../supervision/installation.ts';
import { placeOf } from '../supervision/service-place.ts';
import type { ReportDeps } from '../supervision/service-report.ts';
import { nodeRandom } from '../system/node-random.ts';
import { makeDoctorReach } from './doctor-reach.ts';
import { PLATFORM } from './native-postgres.ts';
import { makeReadDisk } from './read-disk.ts';

/** One after the other would do; two let the slow rules of safety run beside the rest. */
const POOL_SIZE = 2;

export interface OfflineOrder {
  readonly dataDir: string;
  /** Of this process: `STELLA_DATABASE_URL` may be there. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Beats the environment; null: not given. */
  readonly databaseUrl: string | null;
  readonly check: string | null;
  readonly category: string | null;
  readonly timeoutMs: number;
  readonly version: string;
}

/** Errors: `check.not_found`; `config.invalid` for a URL that is none. */
export async function examineOffline(deps: ReportDeps, order: OfflineOrder): Promise<readonly CheckResult[]> {
  const started = await readStart(deps, order);
  const address = await addressOf(deps, order, started.config);
  const database = openDatabase(address, { logger: deps.embedded.logger, poolSize: POOL_SIZE, isReadOnly: true });
  try {
    const [sight, refusal] = await Promise.all([lookAtMachine(deps, order.dataDir), askDatabase(database)]);
    const machine: Machine = {
      ...sight,
      report: address.kind === 'url' ? withExternal(sight.report) : sight.report,
      database: { address: nameOf(address), refusal },
      configurationError: started.error,
    };
    const doctor = makeDoctor(deps, order, { database, config: started.config, isEmbedded: address.kind === 'socket' });
    const { check: id, category, timeoutMs } = order;
    return await runChecks(doctor, { id, category, timeoutMs, mayProbe: () => true }, offlineChecks(machine));
  } finally {
    await database.close();
  }
}

function offlineChecks(machine: Machine): Parameters<typeof runChecks>[2] {
  const own = machineChecks(machine);
  const seen = CHECKS.map((check) =>
    check === disk && machine.disk === null ? skippedCheck(disk, `there is no ${machine.report.dataDir}`) : check,
  );
  if (machine.database.refusal === null) return { checks: [...own, ...seen], families: CHECK_FAMILIES };
  const why = 'it asks the database, which does not answer: see check.machine.database';
  const others = seen.map((check) => (check.id === disk.id ? check : skippedCheck(check, why)));
  const families = CHECK_FAMILIES.map(({ category }): Check => {
    const about = { id: `check.${category}`, title: 'All of them', why: 'they are listed in the database' } as const;
    return skippedCheck(about, why);
  });
  return { checks: [...own, ...others, ...families], families: [] };
}

interface Start {
  /** As the installed service is started; null: nothing is installed, or it is refused. */
  readonly config: ServerConfig | null;
  readonly error: string | null;
}

async function readStart({ embedded, uid }: ReportDeps, { dataDir }: OfflineOrder): Promise<Start> {
  const installation = await readInstallation(embedded.fileSystem, placeOf(dataDir));
  if (installation === null) return { config: null, error: null };
  const about = { env: installation.variables, uid, home: homedir(), cwd: dataDir };
  try {
    return { config: readServerConfig({ dataDir }, about), error: null };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { config: null, error: error.message };
  }
}

async function addressOf(
  { embedded }: ReportDeps,
  { dataDir, databaseUrl, env }: OfflineOrder,
  config: ServerConfig | null,
): Promise<DatabaseAddress> {
  const url = databaseUrl ?? config?.database?.url ?? env['STELLA_DATABASE_URL'] ?? null;
  if (url !== null) {
    if (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)) return { kind: 'url', url };
    // It may hold a password: it is not shown.
    const message = 'expected postgres://user@host:port/database';
    throw new AppError('config.invalid', { details: { name: '--database-url or STELLA_DATABASE_URL', message } });
  }
  const real = await embedded.fileSystem.realpath(dataDir).catch(() => dataDir);
  const { socketDirectory } = layOut(real, { shortPath: dataDir, platform: PLATFORM });
  return { kind: 'socket', directory: socketDirectory, user: APP_ROLE, database: DATABASE_NAME };
}

/** Without user and password. */
function nameOf(address: DatabaseAddress): string {
  if (address.kind === 'socket') return address.directory;
  const { host, pathname } = new URL(address.url);
  return `${host}${pathname}`;
}

function withExternal(report: Machine['report']): Machine['report'] {
  return { ...report, database: { kind: 'external', pid: null, status: null, version: null } };
}

/** Null when it answers; else why not, in its own words. */
async function askDatabase(database: Database): Promise<string | null> {
  try {
    await query(database, { name: '', text: 'select 1 from promotions limit 1' });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Asked {
  readonly database: Database;
  readonly config: ServerConfig | null;
  readonly isEmbedded: boolean;
}

function makeDoctor(
  { embedded: { clock, fileSystem } }: ReportDeps,
  { dataDir, version }: OfflineOrder,
  { database, config, isEmbedded }: Asked,
): DoctorDeps {
  const settings = config?.settings ?? STANDARD_SETTINGS;
  const ids = makeIds(
    () => clock.nowMs(),
    (count) => nodeRandom.bytes(count),
  );
  const options = { ids, settings, cache: makeImmutableRows() };
  const reads = makeReadStore(database, options);
  const looking = { reads, settings, clock };
  const about = { version, isEmbedded };
  const probes = makeProbeStore(database);
  const start = config ?? readServerConfig({ dataDir }, { env: {}, uid: -1, home: dataDir, cwd: dataDir });
  const reach = makeDoctorReach(start, { prober: null, probes, secrets: null });
  return {
    ...looking,
    ...reach,
    // Of one that was started by hand nobody here knows what it was allowed.
    reach: config === null ? null : reach.reach,
    audit: makeAuditStore(database),
    readArtifact: null,
    notifications: makeNotificationStore(database, options),
    diagnoser: makeDiagnoser({
      ...looking,
      about: { version, hostname: hostname() },
      readDisk: makeReadDisk(isEmbedded ? dataDir : null),
    }),
    fileSystem,
    dataDir,
    about,
  };
}
