/** Debian's PostgreSQL with a standby, and two servers that know both. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClient } from '@stella/contract/client';
import { type DebianPostgres, startDebianPostgres, waitFor, writeOciLayout } from '@stella/testkit';
import { openWitness, type Witness } from './database.ts';
import { ARTIFACT_TAGS } from './load.ts';
import { startGateJournal, type TargetWatch, watchTargets } from './outside.ts';
import { keepReplica, readAdminToken, type Replica } from './replica.ts';
import { bundleServer, definitionOf } from './world.ts';

const START_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 30_000;
const ENVIRONMENTS = 12;
const STANDBY = 'second';

export interface FailOverStage {
  readonly primary: DebianPostgres;
  readonly standby: DebianPostgres;
  /** Of whichever takes writes. */
  readonly witness: Witness;
  readonly servers: readonly Replica[];
  readonly environments: readonly string[];
  readonly layouts: string;
  readonly token: string;
  readonly watch: TargetWatch;
  readonly targetOf: (environment: string) => string;
  /** An API as the first admin. */
  readonly client: () => ReturnType<typeof makeClient>;
  remove(): Promise<void>;
}

type Undo = () => unknown;

export async function makeFailOverStage(replication: 'synchronous' | 'asynchronous'): Promise<FailOverStage> {
  const undo: Undo[] = [];
  const remove = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await makeParts(replication, undo)), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function makeParts(
  replication: 'synchronous' | 'asynchronous',
  undo: Undo[],
): Promise<Omit<FailOverStage, 'remove'>> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-standby-'));
  undo.push(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  await chmod(directory, 0o711);
  const primary = await startDebianPostgres();
  undo.push(() => primary.remove());
  const standby = await primary.makeStandby(STANDBY);
  undo.push(() => standby.remove());
  if (replication === 'synchronous') {
    await primary.sql(`alter system set synchronous_standby_names = '${STANDBY}'`);
    await primary.sql('select pg_reload_conf()');
  }
  const hosts = `${primary.address},${standby.address}`;
  const urlOf = (user: string): string => `postgres://${user}@${hosts}/stella?target_session_attrs=read-write`;
  const witness = openEither(openWitness(primary.url('postgres')), openWitness(standby.url('postgres')));
  undo.push(() => witness.close());
  const gates = await startGateJournal(null, () => 10);
  undo.push(() => gates.close());
  const layouts = join(directory, 'layouts');
  await writeOciLayout(
    layouts,
    ARTIFACT_TAGS.map((tag) => ({ tag, files: { 'index.html': `<h1>${tag}</h1>` } })),
  );
  const environments = Array.from({ length: ENVIRONMENTS }, (_, index) => `place-${index + 1}`);
  const targets = join(directory, 'targets');
  for (const name of environments) await mkdir(join(targets, name), { recursive: true });
  const program = await bundleServer(directory);
  const environment = {
    STELLA_DATABASE_URL: urlOf('stella_app'),
    STELLA_DATABASE_OWNER_URL: urlOf('postgres'),
    STELLA_LAYOUT_DIRECTORIES: layouts,
    STELLA_TARGET_DIRECTORIES: targets,
    STELLA_PRECHECK_INTERVAL: '1s',
  };
  const servers = ['a', 'b'].map((name) =>
    keepReplica(
      { name, role: 'all', dataDir: join(directory, name), program, environment: () => environment },
      () => undefined,
    ),
  );
  undo.push(() => Promise.all(servers.map((server) => server.stop())));
  const areUp = (): boolean => servers.every((server) => server.url() !== '');
  await waitFor(areUp, { timeoutMs: START_TIMEOUT_MS, why: 'both servers listen' });
  const token = await readAdminToken(servers.map(({ name }) => join(directory, name)));
  const client = (): ReturnType<typeof makeClient> =>
    makeClient({ server: servers[0]?.url() ?? '', token, timeoutMs: CALL_TIMEOUT_MS });
  const documents = environments.map((name) => ({
    file: `${name}.yaml`,
    text: definitionOf(name, { directory: join(targets, name), gate: `http://127.0.0.1:${gates.port}/` }),
  }));
  await client().call('applyDefinitions', { body: { documents } });
  const targetOf = (name: string): string => join(targets, name);
  const watch = watchTargets(environments.map(targetOf));
  undo.push(() => watch.close());
  return { primary, standby, witness, servers, environments, layouts, token, watch, targetOf, client };
}

/** The first while it answers; a standby answers too, but is not what is true. */
function openEither(first: Witness, second: Witness): Witness {
  const demand: Witness['demand'] = async (text, values) => {
    const rows = await first.ask<never>(text, values);
    return rows ?? second.demand(text, values);
  };
  return {
    demand,
    ask: (text, values) => demand<never>(text, values).catch(() => null),
    close: async () => {
      await Promise.all([first.close(), second.close()]);
    },
  };
}
