/**
 * One environment of 200 targets, of kind `files` and then of kind `command`, deployed 20 at a time by the built server on
 * its embedded PostgreSQL: processor time per target of the server, of the programs that it ran, and of PostgreSQL;
 * memory of the server; and the same changes by a plain program, round by round in turn. `-- --targets 50 --rounds 2
 * --kind files` measures less.
 */
import { makeServerPlace, type ServerPlace, waitFor, writeOciLayout } from '@stella/testkit';
import { type BuiltServer, startBuiltServer } from './built-server.ts';
import { commandFleet, filesFleet, filesOf, type Fleet } from './fleets.ts';
import { cpuSecondsOf, cpuTimesOf, memoryOf, postgresPidsOf } from './process-costs.ts';
import { note, percentile, type Row, rounded } from './report.ts';

const TARGETS = 200;
const ROUNDS = 5;
/** `limits.targetsAtOnce`, as it is without being set. */
const AT_ONCE = 20;
const LOOK_EVERY_MS = 500;
const DEPLOY_TIMEOUT_MS = 600_000;

const FLEETS: Readonly<Record<Fleet['kind'], (place: ServerPlace) => Fleet | Promise<Fleet>>> = {
  files: filesFleet,
  command: commandFleet,
};

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Of programs that were run and have ended. */
  readonly programsMs: number;
}

interface Deployed extends Cost {
  readonly postgresMs: number;
}

export async function runTargets(args: readonly string[]): Promise<readonly Row[]> {
  const plan = { targets: numberIn(args, '--targets', TARGETS), rounds: numberIn(args, '--rounds', ROUNDS) };
  const rows: Row[] = [];
  // A server of its own for each kind: the most memory that it ever had is one figure.
  const kinds = args.includes('--kind') ? [args[args.indexOf('--kind') + 1]] : Object.keys(FLEETS);
  for (const [kind, makeFleet] of Object.entries(FLEETS)) {
    if (kinds.includes(kind)) rows.push(await measure(makeFleet, plan));
  }
  return rows;
}

function numberIn(args: readonly string[], name: string, standard: number): number {
  const value = args[args.indexOf(name) + 1];
  return args.includes(name) && value !== undefined ? Number(value) : standard;
}

async function measure(
  makeFleet: (place: ServerPlace) => Fleet | Promise<Fleet>,
  { targets, rounds }: { readonly targets: number; readonly rounds: number },
): Promise<Row> {
  const place = await makeServerPlace();
  const server = await startBuiltServer(place);
  try {
    const fleet = await makeFleet(place);
    const names = Array.from({ length: targets }, (_, index) => `web-${index + 1}`);
    const { rssMb: idleMb } = await memoryOf(server.pid);
    // One more: the first round makes the directories, loads code, and is not counted.
    await prepare(server, place, fleet, { names, releases: rounds + 1 });
    await deploy(server, place, fleet, 1);
    const costs: Deployed[] = [];
    const plain: Cost[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      costs.push(await deploy(server, place, fleet, round + 1));
      plain.push(await deployWithout(fleet, names, round));
      note(`${fleet.kind} ${round} of ${rounds}: ${JSON.stringify(costs.at(-1))}, ${JSON.stringify(plain.at(-1))}`);
    }
    return {
      bench: 'targets',
      kind: fleet.kind,
      targets,
      ...perTarget(costs, plain, targets),
      ...(await memory(server, idleMb)),
    };
  } finally {
    await server.stop();
    await place.remove();
  }
}

function perTarget(costs: readonly Deployed[], plain: readonly Cost[], targets: number): Row {
  const median = (values: readonly number[]): number => percentile(values, 0.5);
  const serverMs = median(costs.map((one) => one.cpuMs)) / targets;
  const plainMs = median(plain.map((one) => one.cpuMs + one.programsMs)) / targets;
  const programsMs = median(costs.map((one) => one.programsMs)) / targets;
  return {
    serverCpuMs: rounded(serverMs),
    programsCpuMs: rounded(programsMs),
    postgresCpuMs: rounded(median(costs.map((one) => one.postgresMs)) / targets),
    plainCpuMs: rounded(plainMs),
    ratio: rounded((serverMs + programsMs) / plainMs),
    wallMs: Math.round(median(costs.map((one) => one.wallMs))),
    plainWallMs: Math.round(median(plain.map((one) => one.wallMs))),
  };
}

async function memory({ pid }: BuiltServer, idleMb: number): Promise<Row> {
  const { rssMb, peakMb } = await memoryOf(pid);
  return { idleMb: Math.round(idleMb), rssMb: Math.round(rssMb), peakMb: Math.round(peakMb) };
}

async function prepare(
  { client }: BuiltServer,
  { layouts }: ServerPlace,
  { kind, entryOf }: Fleet,
  { names, releases }: { readonly names: readonly string[]; readonly releases: number },
): Promise<void> {
  const entries = names.map((name) => `  - ${entryOf(name)}`);
  const text = ['kind: Environment', `name: ${kind}`, 'targets:', ...entries, ''].join('\n');
  await client.call('applyDefinitions', { body: { documents: [{ file: 'fleet.yaml', text }] } });
  const numbers = Array.from({ length: releases }, (_, index) => index + 1);
  await writeOciLayout(
    layouts,
    numbers.map((number) => ({ tag: String(number), files: filesOf(number) })),
  );
  for (const number of numbers) {
    const components = [{ name: 'web', artifact: `oci-layout:${layouts}:${number}` }];
    await client.call('createRelease', { body: { name: `r-${number}`, components } });
  }
}

async function deploy(
  { client, pid }: BuiltServer,
  { dataDir }: ServerPlace,
  { kind }: Fleet,
  release: number,
): Promise<Deployed> {
  const look = async (): Promise<Deployed> => {
    const { ownSeconds, childrenSeconds } = await cpuTimesOf(pid);
    return {
      wallMs: performance.now(),
      cpuMs: 1_000 * ownSeconds,
      programsMs: 1_000 * childrenSeconds,
      postgresMs: 1_000 * (await cpuSecondsOf(await postgresPidsOf(dataDir))),
    };
  };
  const before = await look();
  const { id } = await client.call('createPromotion', { body: { release: `r-${release}`, environment: kind } });
  let status = '';
  await waitFor(
    async () => {
      // Seldom, and by a list: the promotion itself tells of every attempt at every target, which is no cost of a deploy.
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      const { items } = await client.call('listPromotions', { query: { environment: kind, limit: 1 } });
      status = items[0]?.status ?? '';
      return !['in_progress', 'queued', 'scheduled'].includes(status);
    },
    { timeoutMs: DEPLOY_TIMEOUT_MS, why: `${id} has ended` },
  );
  if (status !== 'completed') {
    const { ending } = await client.call('getPromotion', { parameters: { promotion: id } });
    throw new Error(`${id} ended ${status}: ${ending?.message ?? ''}`);
  }
  const after = await look();
  return {
    wallMs: after.wallMs - before.wallMs,
    cpuMs: after.cpuMs - before.cpuMs,
    programsMs: after.programsMs - before.programsMs,
    postgresMs: after.postgresMs - before.postgresMs,
  };
}

async function deployWithout(fleet: Fleet, names: readonly string[], round: number): Promise<Cost> {
  const look = async (): Promise<Cost> => {
    const { ownSeconds, childrenSeconds } = await cpuTimesOf(process.pid);
    return { wallMs: performance.now(), cpuMs: 1_000 * ownSeconds, programsMs: 1_000 * childrenSeconds };
  };
  const before = await look();
  await fleet.deployWithout(names, round, AT_ONCE);
  const after = await look();
  return {
    wallMs: after.wallMs - before.wallMs,
    cpuMs: after.cpuMs - before.cpuMs,
    programsMs: after.programsMs - before.programsMs,
  };
}
