/**
 * The composition root of `stella orch serve`: the only place that knows every part. Starts them in order, each on what is
 * ready, and stops them in the opposite one.
 */
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCycle, type IdSource, makeIds } from '@stella/domain';
import { startNotifier } from '../notify/notifier.ts';
import { makeSendNotice } from '../notify/send-notice.ts';
import { type Auditor, startAuditor } from '../auditor/auditor.ts';
import { makeAttemptLimit } from '../auth/attempt-limit.ts';
import { formatEnvironmentYaml } from '../config/format-environment.ts';
import { parseDocuments } from '../config/parse-environments.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { type DataDirOwner, ownDataDir } from '../data-dir/data-dir-owner.ts';
import { prepareDataDir } from '../data-dir/prepare-data-dir.ts';
import { makeDiagnoser } from '../diagnosis/diagnoser.ts';
import { startObserver } from '../engine/observer.ts';
import { startDebtCollector } from '../engine/debt-collector.ts';
import { withFaults } from '../faults/port-faults.ts';
import { armStatements } from '../faults/statement-faults.ts';
import { makeEffectRunner, type RunEffect } from '../engine/effects.ts';
import { makeAskGate } from '../gates/ask-gate.ts';
import { makeAskJudge } from '../gates/http-judge.ts';
import { findProgram, type ProgramDeps } from '../gates/find-program.ts';
import { openCommandRuns } from '../gates/command-runs.ts';
import { makeHttpServer } from '../http/http-server.ts';
import type { HttpDeps } from '../http/route-handler.ts';
import { STALLED_SERIES_MAX } from '../metrics/metric-definitions.ts';
import { makeMetrics, type Metrics } from '../metrics/prometheus-metrics.ts';
import type { AskGate } from '../ports/gate.ts';
import type { AuditStore } from '../ports/audit-store.ts';
import type { CommandStore } from '../ports/command-store.ts';
import { type Faults, NO_FAULTS } from '../ports/faults.ts';
import type { LogRing } from '../ports/log-ring.ts';
import type { Logger } from '../ports/logger.ts';
import type { NotificationStore } from '../ports/notification-store.ts';
import type { SendNotice } from '../ports/notify-sender.ts';
import type { ProbeStore } from '../ports/probe-store.ts';
import type { ReadStore } from '../ports/read-store.ts';
import type { RegistryAccesses } from '../ports/registry-credentials.ts';
import type { Registry } from '../ports/registry.ts';
import type { Secrets } from '../ports/secrets.ts';
import { makeProber, type ProberDeps } from '../probes/prober.ts';
import type { DoctorDeps } from '../doctor/check.ts';
import { makeRegistry } from '../registry/open-registry.ts';
import { makeRegistryAccesses } from '../registry/registry-accesses.ts';
import { type Sequencer, startSequencer } from '../sequencer/sequencer.ts';
import { openLivenessSession } from '../store/liveness-session.ts';
import { makeAuditStore } from '../store/postgres-audit-store.ts';
import { makeCommandStore } from '../store/postgres-command-store.ts';
import { makeDebtStore } from '../store/postgres-debt-store.ts';
import { makeEngineStore, type StoreOptions } from '../store/postgres-engine-store.ts';
import { makeNotificationStore } from '../store/postgres-notification-store.ts';
import { makeObservationStore } from '../store/postgres-observation-store.ts';
import { makeProbeStore } from '../store/postgres-probe-store.ts';
import { makeReadStore } from '../store/postgres-read-store.ts';
import { makeSequencerStore } from '../store/postgres-sequencer-store.ts';
import { makeImmutableRows } from '../store/immutable-rows.ts';
import { type ClosableHttpClient, makeHttpClient } from '../system/http-client.ts';
import { makeMailClient } from '../system/mail-client.ts';
import { makeNetworkProbe } from '../system/network-probe.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeProcesses } from '../system/node-processes.ts';
import { nodeRandom } from '../system/node-random.ts';
import { startNodeWatchdog } from '../system/node-watchdog.ts';
import { makeTargetHosts, type TargetHosts } from '../system/target-hosts.ts';
import {
  ADMIN_TOKEN_FILE,
  ensureFirstAdmin,
  readRecoveryKey,
  RECOVERY_KEY_FILE,
  writeRecoveryKey,
} from './first-admin.ts';
import { DATABASE_PATIENCE_MS, type Insist, makePatience } from './database-patience.ts';
import { readMonitoredFacts, readProgress } from './read-health.ts';
import { KEEPS_NOTHING, makeDoctorReach } from './doctor-reach.ts';
import { makeReadDisk } from './read-disk.ts';
import { makeLogRing } from './log-ring.ts';
import { type OpenStore, openStore } from './open-store.ts';
import { makeStallCauses } from './stall-causes.ts';
import { readTlsFiles, watchTlsFiles } from './tls-files.ts';
import { makeSecrets } from '../webhooks/read-secret.ts';
import { composeTargets } from './compose-targets.ts';
import { superviseWorker, type WorkerSupervisor } from './worker-supervisor.ts';

/** What the command line on this machine reads to find the server. */
export const SERVER_FILE = 'server.json';

const OWNER_DEPS = { fileSystem: nodeFileSystem, processes: nodeProcesses, clock: nodeClock, random: nodeRandom };

/** Effects under way may end by themselves for so long when the server stops. */
const DRAIN_PATIENCE_MS = 10_000;

export interface RunningServer {
  /** Null for a worker of its own. */
  readonly url: string | null;
  readonly dataDir: string;
  /** Written at this start; null when there was an admin already. */
  readonly adminTokenFile: string | null;
  /** Drains and stops everything; an embedded PostgreSQL too, unless the next server is to adopt it. Idempotent. */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /** Standard: false. */
  readonly keepsDatabase?: boolean;
}

export interface StartOptions {
  readonly config: ServerConfig;
  readonly logger: Logger;
  readonly version: string;
  readonly faults?: Faults;
  /** Of the worker's loop without a turn, until the process ends itself. */
  readonly watchdogLimitMs?: number;
  /** For a database that does not answer at the start; the standard suits a restart of it. */
  readonly databasePatienceMs?: number;
  /** In place of real gates and targets, where the engine alone is measured. */
  readonly runEffect?: RunEffect;
}

/** Errors: those of the parts, by code; what was started is stopped again. */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const stops: Stops = [];
  const stopAll = async ({ keepsDatabase = false }: StopOptions = {}): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) {
      await stop({ keepsDatabase }).catch((error: unknown) =>
        options.logger.error({ error }, 'a part did not stop cleanly'),
      );
    }
  };
  try {
    return { ...(await startParts(options, stops)), stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

interface Parts {
  readonly store: OpenStore;
  readonly hosts: TargetHosts;
  readonly ids: IdSource;
  readonly commands: CommandStore;
  readonly reads: ReadStore;
  readonly probes: ProbeStore;
  readonly notifications: NotificationStore;
  readonly sendNotice: SendNotice;
  readonly audit: AuditStore;
  readonly registry: Registry;
  readonly accesses: RegistryAccesses;
  readonly http: ClosableHttpClient;
  readonly metrics: Metrics;
  readonly secrets: Secrets;
  readonly openTarget: HttpDeps['openTarget'];
  readonly storeOptions: StoreOptions;
  /** Adds the fault points of a port where a test passes faults; elsewhere the port itself. */
  readonly faulty: <Port extends object>(name: Parameters<typeof withFaults>[0], port: Port) => Port;
}

type Stops = ((options: Required<StopOptions>) => Promise<unknown>)[];

async function startParts(given: StartOptions, stops: Stops): Promise<Omit<RunningServer, 'stop'>> {
  const { logger, ring } = makeLogRing(given.logger, nodeClock);
  const options = { ...given, logger };
  const { config } = options;
  const needsDataDir = config.role !== 'worker';
  if (needsDataDir) {
    await prepareDataDir(nodeFileSystem, config.dataDir, process.getuid?.() === 0);
    const owner: DataDirOwner = await ownDataDir(
      { ...OWNER_DEPS, pid: process.pid, manager: config.manager },
      config.dataDir,
    );
    stops.push(() => owner.release());
  }
  const insist = makePatience({ clock: nodeClock, logger }, options.databasePatienceMs ?? DATABASE_PATIENCE_MS);
  const store = await openStore(config, logger, insist);
  stops.push((how) => store.close(how));
  const parts = makeParts(options, store);
  stops.push(() => parts.http.close());
  stops.push(() => Promise.resolve(parts.hosts.close()));
  const adminTokenFile = needsDataDir ? await insist(() => ensureAccess(parts, config)) : null;
  let tellUrl: (url: string | null) => void = () => undefined;
  const reachable = new Promise<string | null>((resolve) => {
    tellUrl = resolve;
  });
  const worker = config.role === 'api' ? null : await startWorking(options, parts, { stops, insist, reachable });
  const url = config.role === 'worker' ? null : await startListening(options, parts, { worker, stops, logRing: ring });
  tellUrl(url ?? config.url);
  return { url, dataDir: config.dataDir, adminTokenFile };
}

function makeParts({ config, logger, version, faults = NO_FAULTS }: StartOptions, store: OpenStore): Parts {
  const faulty: Parts['faulty'] = (name, port) => (faults === NO_FAULTS ? port : withFaults(name, port, faults));
  if (faults !== NO_FAULTS) for (const one of [store.database, store.control]) armStatements(one, faults);
  const ids = makeIds(
    () => nodeClock.nowMs(),
    (count) => nodeRandom.bytes(count),
  );
  const storeOptions: StoreOptions = { ids, settings: config.settings, cache: makeImmutableRows() };
  const http = makeHttpClient({ allowedRanges: config.outgoingAllow });
  const layoutRoots = config.layoutDirectories;
  const secrets = makeSecrets({
    env: process.env,
    fileSystem: nodeFileSystem,
    clock: nodeClock,
    directory: config.secretsDirectory,
  });
  const reads = makeReadStore(store.database, storeOptions);
  const accesses = makeRegistryAccesses({ reads, secrets });
  const registry = faulty(
    'registry',
    makeRegistry({ http, accesses, fileSystem: nodeFileSystem, clock: nodeClock, layoutRoots }),
  );
  const hosts = makeTargetHosts({ secrets, allowedRanges: config.outgoingAllow, home: homedir() });
  const openTarget = composeTargets({
    config,
    http,
    network: makeNetworkProbe({ allowedRanges: config.outgoingAllow }),
    registry,
    accesses,
    secrets,
    logger,
    faults,
    openHost: hosts.openHost,
    findProgram: (wish) => findProgram(programsOf(config), wish),
  });
  const mail = makeMailClient({ allowedRanges: config.outgoingAllow });
  return {
    store,
    ids,
    storeOptions,
    http,
    registry,
    accesses,
    metrics: makeMetrics(version),
    secrets,
    commands: faulty('command_store', makeCommandStore(store.database, storeOptions)),
    reads,
    probes: makeProbeStore(store.database),
    notifications: makeNotificationStore(store.database, storeOptions),
    sendNotice: makeSendNotice({ http, mail, secrets, clock: nodeClock }),
    audit: makeAuditStore(store.database),
    hosts,
    openTarget: (definition, environment) => faulty('target', openTarget(definition, environment)),
    faulty,
  };
}

async function ensureAccess({ ids, commands, reads }: Parts, { dataDir }: ServerConfig): Promise<string | null> {
  const deps = { fileSystem: nodeFileSystem, random: nodeRandom, ids, commands, reads };
  await writeRecoveryKey(deps, dataDir);
  return ensureFirstAdmin(deps, dataDir);
}

interface Working {
  readonly stops: Stops;
  readonly insist: Insist;
  /** Where services reach this server, once it listens; null: not known. */
  readonly reachable: Promise<string | null>;
}

async function startWorking(
  options: StartOptions,
  parts: Parts,
  { stops, insist, reachable }: Working,
): Promise<WorkerSupervisor> {
  const { logger, version, faults = NO_FAULTS } = options;
  const { store, storeOptions, ids, registry, metrics, openTarget, faulty } = parts;
  const askGate = await openGates(options, parts, reachable);
  const runEffect =
    options.runEffect ??
    makeEffectRunner({
      clock: nodeClock,
      logger,
      metrics,
      registry,
      openTarget,
      askGate,
      askJudge: makeAskJudge(parts.http),
      noteProbe: (probe) => {
        const noted = parts.probes.recordProbes([probe]);
        noted.catch((error: unknown) => logger.debug({ error }, 'a probe was not kept'));
      },
    });
  const sequencer: Sequencer = startSequencer({
    store: faulty('sequencer_store', makeSequencerStore(store.database)),
    clock: nodeClock,
    logger,
  });
  stops.push(() => sequencer.stop());
  const auditor: Auditor = startAuditor({ store: parts.audit, clock: nodeClock, logger });
  stops.push(() => auditor.stop());
  const debts = startDebtCollector({
    store: makeDebtStore(store.database, storeOptions),
    askGate,
    clock: nodeClock,
    logger,
    metrics,
  });
  stops.push(() => debts.stop());
  stops.push(startObserving(options, parts));
  const notifier = startNotifier({
    store: parts.notifications,
    send: parts.sendNotice,
    clock: nodeClock,
    random: nodeRandom,
    logger,
    metrics,
  });
  stops.push(() => notifier.stop());
  const engineStore = faulty('engine_store', makeEngineStore(store.database, storeOptions, store.control));
  const watchdog = startNodeWatchdog(options.watchdogLimitMs);
  stops.push(() => Promise.resolve(watchdog.stop()));
  const worker = await insist(() =>
    superviseWorker({
      run: { store: engineStore, runEffect, clock: nodeClock, logger, metrics, faults, watchdog },
      ids,
      openSession: () => openLivenessSession(store.database),
      options: { hostname: hostname(), version },
    }),
  );
  stops.push(() => worker.drain(DRAIN_PATIENCE_MS));
  return worker;
}

/** Answers how it is stopped. */
function startObserving({ logger }: StartOptions, { store, storeOptions, openTarget }: Parts): () => Promise<void> {
  const observer = startObserver({
    store: makeObservationStore(store.database, storeOptions),
    openTarget,
    clock: nodeClock,
    random: nodeRandom,
    logger,
    name: hostname(),
  });
  return () => observer.stop();
}

async function openGates(
  { config, logger }: StartOptions,
  { http, secrets, faulty }: Parts,
  callbackUrl: Promise<string | null>,
): Promise<AskGate> {
  const machine = { fileSystem: nodeFileSystem, processes: nodeProcesses };
  const uid = process.getuid?.() ?? 0;
  // A worker of its own has no data directory.
  const folder = join(config.role === 'worker' ? tmpdir() : config.dataDir, `gate-programs-${uid}`);
  const runs = await openCommandRuns({ ...machine, logger, folder, uid, pid: process.pid });
  const { commandDirectories } = config;
  const asking = { ...machine, http, clock: nodeClock, secrets, callbackUrl, commandDirectories, runs };
  return faulty('gate', { evaluate: makeAskGate(asking) }).evaluate;
}

interface Listening {
  readonly worker: WorkerSupervisor | null;
  readonly stops: Stops;
  readonly logRing: LogRing;
}

async function startListening(
  options: StartOptions,
  parts: Parts,
  { worker, stops, logRing }: Listening,
): Promise<string> {
  const { config, version, logger } = options;
  const tls = config.tls === null ? null : await readTlsFiles(nodeFileSystem, config.tls);
  const { reads, notifications } = parts;
  const looking = { reads, notifications, settings: config.settings, clock: nodeClock };
  const diagnoser = makeDiagnoser({
    ...looking,
    about: { version, hostname: hostname() },
    readDisk: makeReadDisk(parts.store.isEmbedded ? config.dataDir : null),
  });
  const readStallCauses = makeStallCauses({ clock: nodeClock, diagnoser, limit: STALLED_SERIES_MAX });
  const health = { ...looking, readStallCauses };
  const looks = looksOf(parts, config, logger);
  const deps: HttpDeps = {
    ...parts,
    random: nodeRandom,
    clock: nodeClock,
    logger,
    logRing,
    prober: makeProber({ ...looks, store: parts.probes }),
    settings: config.settings,
    gateEvaluated: (evaluation) => parts.metrics.gateEvaluated(evaluation),
    doctor: makeDoctorDeps(parts, config, { ...looking, diagnoser, looks, version }),
    attemptLimit: makeAttemptLimit(nodeClock),
    configuration: {
      parseDocuments,
      formatEnvironment: formatEnvironmentYaml,
      findCycle,
    },
    diagnoser,
    readRecoveryKey: () => readRecoveryKey(nodeFileSystem, config.dataDir),
    wake: () => worker?.wake(),
    about: { version, isEmbedded: parts.store.isEmbedded },
    readProgress: () => readProgress(health, worker),
    renderMetrics: async () => parts.metrics.render(await readMonitoredFacts(health)),
    countRequest: parts.metrics.countRequest,
  };
  const server = makeHttpServer(deps, tls);
  const listening = await server.listen(config.listen);
  stops.push(() => server.close());
  if (tls !== null && config.tls !== null) {
    const watch = { fileSystem: nodeFileSystem, clock: nodeClock, logger, files: config.tls, first: tls };
    const unwatch = watchTlsFiles({ ...watch, renew: (material) => server.renewTls(material) });
    stops.push(() => Promise.resolve(unwatch()));
  }
  const url = config.url ?? listening;
  await announce(config.dataDir, { url, listening, pid: process.pid, version });
  stops.push(() => nodeFileSystem.rm(join(config.dataDir, SERVER_FILE), { force: true }));
  logger.info({ url, listening }, 'listening');
  return url;
}

function programsOf({ commandDirectories }: ServerConfig): ProgramDeps {
  return { fileSystem: nodeFileSystem, commandDirectories };
}

function looksOf(parts: Parts, config: ServerConfig, logger: Logger): Omit<ProberDeps, 'store'> {
  return {
    network: makeNetworkProbe({ allowedRanges: config.outgoingAllow }),
    registry: parts.registry,
    accesses: parts.accesses,
    openTarget: parts.openTarget,
    secrets: parts.secrets,
    findProgram: (gate) => findProgram(programsOf(config), gate),
    clock: nodeClock,
    logger,
  };
}

interface Seeing extends Pick<DoctorDeps, 'clock' | 'diagnoser' | 'notifications' | 'reads' | 'settings'> {
  readonly looks: Omit<ProberDeps, 'store'>;
  readonly version: string;
}

function makeDoctorDeps(
  { audit, probes, registry, secrets, store }: Parts,
  config: ServerConfig,
  { looks, version, ...seeing }: Seeing,
): DoctorDeps {
  return {
    ...seeing,
    audit,
    readArtifact: (source, digest, signal) => registry.readDocument(source, digest, signal),
    fileSystem: nodeFileSystem,
    dataDir: config.dataDir,
    about: { version, isEmbedded: store.isEmbedded },
    ...makeDoctorReach(config, { prober: makeProber({ ...looks, store: KEEPS_NOTHING }), probes, secrets }),
  };
}

interface Announced {
  readonly url: string;
  /** The same as this machine sees it. */
  readonly listening: string;
  readonly pid: number;
  readonly version: string;
}

/** Readable by everybody: it holds no secret, and says where the server is. */
async function announce(dataDir: string, about: Announced): Promise<void> {
  const path = join(dataDir, SERVER_FILE);
  const text = JSON.stringify({ ...about, adminTokenFile: ADMIN_TOKEN_FILE, recoveryKeyFile: RECOVERY_KEY_FILE });
  await nodeFileSystem.writeFile(`${path}.new`, `${text}\n`, { mode: 0o644 });
  await nodeFileSystem.rename(`${path}.new`, path);
}
