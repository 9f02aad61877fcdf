/**
 * Two workers on one PostgreSQL that belongs to neither; the one that holds the promotions is killed with SIGKILL, 50
 * times. Measured by the database's clock: from just before the kill to the next committed step of the last of its
 * promotions.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  adminClient,
  makeServerPlace,
  type ServerPlace,
  type ServerProcess,
  startServerProcess,
  waitFor,
  writeOciLayout,
} from '@stella/testkit';
import pg from 'pg';
import { note, percentile, type Row } from './report.ts';

const TRIALS = 50;
/** Held by the worker that is killed, all of them. */
const PROMOTIONS = 10;
const TAKEOVER_TIMEOUT_MS = 60_000;

export async function runTakeover(): Promise<readonly Row[]> {
  const place = await makeServerPlace();
  const api = await startServerProcess(place, { role: 'api' });
  // Gates that think for longer than the bench lasts: the promotions stay with their worker.
  const gate = createServer(() => undefined);
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  const database = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await database.connect();
  try {
    // It listens on a port.
    const { port } = gate.address() as AddressInfo;
    let holder = await startWorker(place);
    await startPromotions(api, place, port);
    await waitFor(async () => (await countHeld(database)) === PROMOTIONS, {
      timeoutMs: TAKEOVER_TIMEOUT_MS,
      why: 'the first worker holds every promotion',
    });
    let standby = await startWorker(place);
    const tookMs: number[] = [];
    for (let trial = 1; trial <= TRIALS; trial += 1) {
      tookMs.push(await killAndMeasure(database, holder));
      if (trial % 10 === 0) note(`${trial} of ${TRIALS} kills`);
      [holder, standby] = [standby, await startWorker(place)];
    }
    await Promise.all([holder.kill(), standby.kill()]);
    return [
      {
        bench: 'takeover',
        trials: TRIALS,
        p50Ms: Math.round(percentile(tookMs, 0.5)),
        p99Ms: Math.round(percentile(tookMs, 0.99)),
      },
    ];
  } finally {
    await database.end();
    gate.closeAllConnections();
    gate.close();
    await place.remove();
  }
}

function startWorker(place: ServerPlace): Promise<ServerProcess> {
  const at = (user: string): string =>
    `postgres://${user}@/stella?host=${encodeURIComponent(join(place.dataDir, 'run'))}`;
  const env = { STELLA_DATABASE_URL: at('stella_app'), STELLA_DATABASE_OWNER_URL: at('stella_owner') };
  return startServerProcess(place, { role: 'worker', env });
}

async function startPromotions(api: ServerProcess, { layouts, targets }: ServerPlace, port: number): Promise<void> {
  const client = adminClient(api);
  await writeOciLayout(layouts, [{ tag: 'one', files: { 'index.html': 'page' } }]);
  const names = Array.from({ length: PROMOTIONS }, (_, index) => `place-${index}`);
  const documents = names.map((name) => ({
    file: `${name}.yaml`,
    text: [
      'kind: Environment',
      `name: ${name}`,
      `gates: [{ name: tests, kind: http, url: "http://127.0.0.1:${port}/", timeout: 1h }]`,
      'precheck: warn',
      `targets: [{ name: web, kind: files, component: web, directory: ${join(targets, name)} }]`,
      '',
    ].join('\n'),
  }));
  await client.call('applyDefinitions', { body: { documents } });
  const components = [{ name: 'web', artifact: `oci-layout:${layouts}:one` }];
  await client.call('createRelease', { body: { name: 'one', components } });
  for (const environment of names) await client.call('createPromotion', { body: { release: 'one', environment } });
}

/** Promotions that a live worker holds, in the step whose effect lasts. */
async function countHeld(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    `select count(*) from stella.promotions p join stella.workers w on w.id = p.worker_id
     where w.state = 'live' and p.step = 'evaluate_gates'`,
  );
  return Number(rows[0]?.count);
}

async function killAndMeasure(database: pg.Client, holder: ServerProcess): Promise<number> {
  const { rows } = await database.query<{ now: string }>('select clock_timestamp()::text as now');
  const killedAt = rows[0]?.now ?? '';
  await holder.kill();
  let tookMs = 0;
  await waitFor(
    async () => {
      const next = await database.query<{ moved: string; took_ms: string | null }>(
        `select count(*) as moved, extract(epoch from max(first) - $1::timestamptz) * 1000 as took_ms
         from (select min(at) as first from stella.events where at >= $1::timestamptz and promotion_id is not null
               group by promotion_id) e`,
        [killedAt],
      );
      tookMs = Number(next.rows[0]?.took_ms ?? 0);
      return Number(next.rows[0]?.moved) === PROMOTIONS;
    },
    { timeoutMs: TAKEOVER_TIMEOUT_MS, why: 'every promotion of the killed worker goes on' },
  );
  return tookMs;
}
