/**
 * Hung gates do not delay others (safety L6). Half of all gates never answer; what the other promotions wait for happens,
 * one after another, and each is to be looked at at once. Measured by the database's clock: from the commit that made a
 * promotion due (a cancellation) to the tick that acted on it, claim included.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setInterval } from 'node:timers/promises';
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

/** In each of the two environments, so that as many gates hang as answer. */
const PROMOTIONS = 100;
const READY_TIMEOUT_MS = 180_000;
const DONE_TIMEOUT_MS = 60_000;
/** Twenty acts a second. */
const BEAT_MS = 50;

export async function runIsolation(): Promise<readonly Row[]> {
  const place = await makeServerPlace();
  const server = await startServerProcess(place);
  const hung = await listen(createServer(() => undefined));
  const well = await listen(
    createServer((_request, response) => void response.setHeader('content-type', 'application/json').end(PASSED)),
  );
  const database = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await database.connect();
  try {
    const others = await startPromotions(server, place, { hung: portOf(hung), well: portOf(well) });
    await waitFor(async () => (await countReady(database)) === 2 * PROMOTIONS, {
      timeoutMs: READY_TIMEOUT_MS,
      why: 'one half hangs in its gates, the other waits for a person',
    });
    note(`${PROMOTIONS} promotions hang in a gate, ${PROMOTIONS} others wait`);
    // An act at each beat, however long the one before took.
    const beat = setInterval(BEAT_MS, undefined)[Symbol.asyncIterator]();
    for (const promotion of others) {
      await beat.next();
      await adminClient(server).call('cancelPromotion', { parameters: { promotion }, body: {} });
    }
    await beat.return?.();
    let delaysMs: readonly number[] = [];
    const areDone = async (): Promise<boolean> => {
      delaysMs = await readDelays(database);
      return delaysMs.length === PROMOTIONS;
    };
    await waitFor(areDone, { timeoutMs: DONE_TIMEOUT_MS, why: 'every other promotion was acted on' });
    return [
      {
        bench: 'isolation',
        hung: PROMOTIONS,
        others: PROMOTIONS,
        p50Ms: Math.round(percentile(delaysMs, 0.5)),
        p99Ms: Math.round(percentile(delaysMs, 0.99)),
      },
    ];
  } finally {
    await database.end();
    for (const gate of [hung, well]) {
      gate.closeAllConnections();
      gate.close();
    }
    await server.kill();
    await place.remove();
  }
}

const PASSED = JSON.stringify({ verdict: 'passed' });

async function listen(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  // It listens on a port.
  return (server.address() as AddressInfo).port;
}

/** Answers the promotions whose gates answer. */
async function startPromotions(
  server: ServerProcess,
  { layouts, targets }: ServerPlace,
  ports: { readonly hung: number; readonly well: number },
): Promise<readonly string[]> {
  const client = adminClient(server);
  const tags = Array.from({ length: PROMOTIONS }, (_, index) => String(index + 1));
  await writeOciLayout(
    layouts,
    tags.map((tag) => ({ tag, files: { 'index.html': tag } })),
  );
  const environment = (name: 'hung' | 'well'): string =>
    [
      'kind: Environment',
      `name: ${name}`,
      `gates: [{ name: tests, kind: http, url: "http://127.0.0.1:${ports[name]}/", timeout: 1h }, { name: sign, kind: approval }]`,
      `targets: [{ name: web, kind: files, component: web, directory: ${join(targets, name)} }]`,
      '',
    ].join('\n');
  const text = [environment('hung'), environment('well')].join('---\n');
  await client.call('applyDefinitions', { body: { documents: [{ file: 'places.yaml', text }] } });
  const others: string[] = [];
  for (const tag of tags) {
    const components = [{ name: 'web', artifact: `oci-layout:${layouts}:${tag}` }];
    await client.call('createRelease', { body: { name: `r-${tag}`, components } });
    await client.call('createPromotion', { body: { release: `r-${tag}`, environment: 'hung' } });
    others.push((await client.call('createPromotion', { body: { release: `r-${tag}`, environment: 'well' } })).id);
  }
  return others;
}

async function countReady(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    `select count(*) from stella.promotions p where p.step = 'evaluate_gates' and (p.status = 'pending_approval'
       or exists (select from stella.gate_runs g where g.promotion_id = p.id and g.state = 'evaluating'))`,
  );
  return Number(rows[0]?.count);
}

async function readDelays(database: pg.Client): Promise<readonly number[]> {
  const { rows } = await database.query<{ ms: string }>(
    `select extract(epoch from done.at - asked.at) * 1000 as ms
     from stella.events asked join stella.events done on done.promotion_id = asked.promotion_id
     where asked.type = 'promotion.cancel_requested' and done.type = 'promotion.status_changed'
       and done.data ->> 'to' = 'cancelled'`,
  );
  return rows.map((row) => Number(row.ms));
}
