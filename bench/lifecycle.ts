/**
 * Full promotions per second on the embedded PostgreSQL: real server, real API, real writer, sequencer on, fsync on; only
 * gates and targets do nothing. Every promotion passes all six steps with one gate, one target and two locks. Beside it
 * the raw limit of the same cluster, in the same run.
 */
import { join } from 'node:path';
import { promisedDigestOf } from '@stella/domain';
import { type Client, makeClient } from '@stella/contract/client';
import { type EffectResult, type Logger, readServerConfig, type RunEffect, startServer } from '@stella/server';
import { makeServerPlace, type ServerPlace, writeOciLayout } from '@stella/testkit';
import pg from 'pg';
import { readFile } from 'node:fs/promises';
import { measureRawCommits } from './raw-limit.ts';
import { note, type Row, rounded } from './report.ts';

interface Plan {
  readonly concurrency: number;
  /** Of each of the concurrent loops, one after another. */
  readonly promotionsPerLoop: number;
}

const PLANS: readonly Plan[] = [
  { concurrency: 1, promotionsPerLoop: 100 },
  { concurrency: 10, promotionsPerLoop: 60 },
  { concurrency: 100, promotionsPerLoop: 12 },
];
const RELEASES = Math.max(...PLANS.map((plan) => plan.promotionsPerLoop));
/** A backend hands its counters over when it was idle for so long (PostgreSQL, PGSTAT_IDLE_INTERVAL). */
const STATISTICS_DELAY_MS = 11_000;
const CALL_TIMEOUT_MS = 60_000;

/** Gates pass, targets do what they are asked to, and observe what was promised: at once. */
const doNothing: RunEffect = ({ attempt, snapshot }) => {
  const [target] = snapshot.promotion.definition.targets;
  const digest = target ? promisedDigestOf(target, snapshot.release) : null;
  const outcome = attempt.purpose === 'gate' ? 'passed' : 'succeeded';
  const result: EffectResult = { outcome, code: '', message: '', output: '', digest, sealed: null };
  return Promise.resolve(result);
};

/** The log tells when a promotion has ended, as it tells an operator. */
function makeEndings(): { readonly logger: Logger; readonly ended: (promotionId: string) => Promise<string> } {
  const endings = new Map<string, string>();
  const waiting = new Map<string, (status: string) => void>();
  const ignore = (): void => undefined;
  const logger: Logger = {
    debug: ignore,
    warn: (fields, message) => note(`${message} ${JSON.stringify(fields)}`),
    error: (fields, message) => note(`${message} ${String(fields['error'])}`),
    child: () => logger,
    info: ({ promotionId, status }, message) => {
      if (message !== 'promotion moved' || typeof promotionId !== 'string' || typeof status !== 'string') return;
      if (!['completed', 'failed', 'rejected', 'superseded'].includes(status)) return;
      waiting.get(promotionId)?.(status);
      endings.set(promotionId, status);
    },
  };
  const ended = (promotionId: string): Promise<string> =>
    new Promise((resolve) => {
      const known = endings.get(promotionId);
      if (known === undefined) waiting.set(promotionId, resolve);
      else resolve(known);
    });
  return { logger, ended };
}

export async function runLifecycle(): Promise<readonly Row[]> {
  const place = await makeServerPlace();
  const { logger, ended } = makeEndings();
  try {
    const env = { STELLA_LAYOUT_DIRECTORIES: place.layouts, STELLA_TARGET_DIRECTORIES: place.targets };
    const flags = { dataDir: place.dataDir, listen: '127.0.0.1:0' };
    const facts = { env, uid: process.getuid?.() ?? -1, home: place.directory, cwd: place.directory };
    const config = readServerConfig(flags, facts);
    const server = await startServer({ config, logger, version: '0.1.0-bench', runEffect: doNothing });
    const token = (await readFile(join(place.dataDir, 'admin.token'), 'utf8')).trim();
    const client = makeClient({ server: server.url ?? '', token, timeoutMs: CALL_TIMEOUT_MS });
    await makeReleases(client, place);
    const rows: Row[] = [];
    for (const plan of PLANS) rows.push(await measure(client, place, { plan, ended }));
    await server.stop();
    return rows;
  } finally {
    await place.remove();
  }
}

interface Measuring {
  readonly plan: Plan;
  readonly ended: (promotionId: string) => Promise<string>;
}

async function measure(client: Client, place: ServerPlace, { plan, ended }: Measuring): Promise<Row> {
  const { concurrency, promotionsPerLoop } = plan;
  const count = concurrency * promotionsPerLoop;
  const names = Array.from({ length: concurrency }, (_, index) => `place-${concurrency}-${index}`);
  await client.call('applyDefinitions', {
    body: { documents: [{ file: 'places.yaml', text: names.map((name) => environment(name, place)).join('---\n') }] },
  });
  const owner: pg.PoolConfig = { host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' };
  const commitsBefore = await readCommits(owner);
  const startMs = performance.now();
  await Promise.all(
    names.map(async (name) => {
      for (let n = 1; n <= promotionsPerLoop; n += 1) {
        const { id } = await client.call('createPromotion', { body: { release: `r-${n}`, environment: name } });
        const status = await ended(id);
        if (status !== 'completed') throw new Error(`${id} ended ${status}`);
      }
    }),
  );
  const perSecond = count / ((performance.now() - startMs) / 1_000);
  const commitsPerPromotion = ((await readCommits(owner)) - commitsBefore) / count;
  const commitCount = Math.round(commitsPerPromotion * count);
  const rawPerSecond = (await measureRawCommits(owner, { concurrency, commitCount })) / commitsPerPromotion;
  note(`concurrency ${concurrency}: ${count} promotions, ${rounded(perSecond)} per second`);
  return {
    bench: 'lifecycle',
    concurrency,
    perSecond: rounded(perSecond),
    commitsPerPromotion: rounded(commitsPerPromotion),
    rawPerSecond: rounded(rawPerSecond),
    ratio: rounded(perSecond / rawPerSecond),
  };
}

function environment(name: string, { targets }: ServerPlace): string {
  return [
    'kind: Environment',
    `name: ${name}`,
    'gates: [{ name: tests, kind: http, url: "http://127.0.0.1:9/" }]',
    `targets: [{ name: web, kind: files, component: web, directory: ${join(targets, name)} }]`,
    '',
  ].join('\n');
}

async function makeReleases(client: Client, { layouts }: ServerPlace): Promise<void> {
  const tags = Array.from({ length: RELEASES }, (_, index) => String(index + 1));
  await writeOciLayout(
    layouts,
    tags.map((tag) => ({ tag, files: { 'index.html': tag } })),
  );
  for (const tag of tags) {
    const components = [{ name: 'web', artifact: `oci-layout:${layouts}:${tag}` }];
    await client.call('createRelease', { body: { name: `r-${tag}`, components } });
  }
}

async function readCommits(owner: pg.PoolConfig): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, STATISTICS_DELAY_MS));
  const client = new pg.Client(owner);
  await client.connect();
  const { rows } = await client.query<{ count: string }>(
    "select xact_commit as count from pg_stat_database where datname = 'stella'",
  );
  await client.end();
  return Number(rows[0]?.count);
}
