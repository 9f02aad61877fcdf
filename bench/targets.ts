/**
 * One environment of 200 targets of kind `files`, deployed 20 at a time by a real server on its embedded PostgreSQL:
 * processor time per target of the server, and of PostgreSQL beside it; memory of the server; and the same changes of files
 * by a plain program, round by round in turn. `-- --targets 50 --rounds 2` measures another number.
 */
import { join } from 'node:path';
import type { Client } from '@stella/contract/client';
import { makeServerPlace, type ServerPlace, waitFor, writeOciLayout } from '@stella/testkit';
import { type BuiltServer, startBuiltServer } from './built-server.ts';
import { deployPlainly } from './plain-deploy.ts';
import { cpuSecondsOf, memoryOf, postgresPidsOf } from './process-costs.ts';
import { note, percentile, type Row, rounded } from './report.ts';

const TARGETS = 200;
const ROUNDS = 5;
/** `limits.targetsAtOnce`, as it is without being set. */
const AT_ONCE = 20;
const FILES = 10;
const FILE_BYTES = 4_096;
const DEPLOY_TIMEOUT_MS = 600_000;
const ENVIRONMENT = 'fleet';

interface Cost {
  readonly wallMs: number;
  readonly serverMs: number;
  readonly postgresMs: number;
}

export async function runTargets(args: readonly string[]): Promise<readonly Row[]> {
  const targets = numberIn(args, '--targets', TARGETS);
  const rounds = numberIn(args, '--rounds', ROUNDS);
  const place = await makeServerPlace();
  const server = await startBuiltServer(place);
  try {
    const { client } = server;
    const { rssMb: idleMb } = await memoryOf(server.pid);
    // One more: the first round makes the directories, loads code, and is not counted.
    await prepare(client, place, { targets, releases: rounds + 1 });
    await deploy(server, place, 1);
    const costs: Cost[] = [];
    const plain: Omit<Cost, 'postgresMs'>[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      costs.push(await deploy(server, place, round + 1));
      plain.push(await deployWithout(place, { targets, round }));
      note(`round ${round} of ${rounds}: ${JSON.stringify(costs.at(-1))}, plain ${JSON.stringify(plain.at(-1))}`);
    }
    const { rssMb, peakMb } = await memoryOf(server.pid);
    const median = (values: readonly number[]): number => percentile(values, 0.5);
    const serverMs = median(costs.map((one) => one.serverMs)) / targets;
    const plainMs = median(plain.map((one) => one.serverMs)) / targets;
    return [
      {
        bench: 'targets',
        targets,
        atOnce: AT_ONCE,
        serverCpuMsPerTarget: rounded(serverMs),
        postgresCpuMsPerTarget: rounded(median(costs.map((one) => one.postgresMs)) / targets),
        plainCpuMsPerTarget: rounded(plainMs),
        ratio: rounded(serverMs / plainMs),
        wallMs: Math.round(median(costs.map((one) => one.wallMs))),
        plainWallMs: Math.round(median(plain.map((one) => one.wallMs))),
        idleMb: Math.round(idleMb),
        rssMb: Math.round(rssMb),
        peakMb: Math.round(peakMb),
      },
    ];
  } finally {
    await server.stop();
    await place.remove();
  }
}

function numberIn(args: readonly string[], name: string, standard: number): number {
  const value = args[args.indexOf(name) + 1];
  return args.includes(name) && value !== undefined ? Number(value) : standard;
}

function filesOf(release: number): Record<string, string> {
  const files: Record<string, string> = {};
  for (let index = 0; index < FILES; index += 1) {
    files[`page-${index}.html`] = `${release} ${index} `.padEnd(FILE_BYTES, 'x');
  }
  return files;
}

async function prepare(
  client: Client,
  { layouts, targets: directory }: ServerPlace,
  { targets, releases }: { readonly targets: number; readonly releases: number },
): Promise<void> {
  const names = Array.from({ length: targets }, (_, index) => `web-${index + 1}`);
  const text = [
    'kind: Environment',
    `name: ${ENVIRONMENT}`,
    'targets:',
    ...names.map((name) => `  - { name: ${name}, kind: files, component: web, directory: ${join(directory, name)} }`),
    '',
  ].join('\n');
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

async function deploy({ client, pid }: BuiltServer, { dataDir }: ServerPlace, release: number): Promise<Cost> {
  const look = async (): Promise<Cost> => ({
    wallMs: performance.now(),
    serverMs: 1_000 * (await cpuSecondsOf([pid])),
    postgresMs: 1_000 * (await cpuSecondsOf(await postgresPidsOf(dataDir))),
  });
  const before = await look();
  const body = { release: `r-${release}`, environment: ENVIRONMENT };
  const { id } = await client.call('createPromotion', { body });
  let status = '';
  await waitFor(
    async () => {
      // A list is small: the promotion itself tells of every attempt at every target.
      const { items } = await client.call('listPromotions', { query: { environment: ENVIRONMENT, limit: 1 } });
      status = items[0]?.status ?? '';
      return !['in_progress', 'queued', 'created', 'scheduled'].includes(status);
    },
    { timeoutMs: DEPLOY_TIMEOUT_MS, why: `${id} has ended` },
  );
  if (status !== 'completed') throw new Error(`${id} ended ${status}`);
  const after = await look();
  return {
    wallMs: after.wallMs - before.wallMs,
    serverMs: after.serverMs - before.serverMs,
    postgresMs: after.postgresMs - before.postgresMs,
  };
}

async function deployWithout(
  { directory }: ServerPlace,
  { targets, round }: { readonly targets: number; readonly round: number },
): Promise<Omit<Cost, 'postgresMs'>> {
  const directories = Array.from({ length: targets }, (_, index) => join(directory, 'plain', `web-${index + 1}`));
  const beganMs = performance.now();
  const before = process.cpuUsage();
  await deployPlainly({ directories, files: filesOf(round), release: `r-${round}`, atOnce: AT_ONCE });
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - beganMs, serverMs: (user + system) / 1_000 };
}
