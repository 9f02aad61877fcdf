/**
 * What 100,000 promotions that wait for people cost while nothing happens: transactions per second, processor and memory
 * of the server and of its PostgreSQL. One is made the regular way, the others are copies of its rows. A copy of so many
 * rows at once is work for autovacuum, which is no cost of waiting: it is done before.
 */
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
import { cpuSecondsOf, memoryOf, postgresPidsOf } from './process-costs.ts';
import { note, type Row, rounded } from './report.ts';

const ROWS = 100_000;
const MEASURE_MS = 60_000;
/** A backend hands its counters over when it was idle for so long (PostgreSQL, PGSTAT_IDLE_INTERVAL). */
const STATISTICS_DELAY_MS = 11_000;
const START_TIMEOUT_MS = 60_000;

/**
 * Each copy has a release of its own: one live promotion per release and environment. They have no events, of which the
 * audit tells a thousand times; then it is as cheap as with whole ones.
 */
const COPY = `
  set search_path = stella;
  insert into releases (id, name, number, created_at, created_by)
    select 'rel_' || lpad(to_hex(n), 32, '0'), 'copy-' || n, r.number + n, r.created_at, r.created_by
    from releases r, generate_series(1, ${ROWS - 1}) n;
  create temporary table copies as
    select p.*, n from promotions p, generate_series(1, ${ROWS - 1}) n;
  update copies set id = 'prm_' || lpad(to_hex(n), 32, '0'), release_id = 'rel_' || lpad(to_hex(n), 32, '0'),
    chain_head = null, chain_length = 0;
  alter table copies drop column n;
  insert into promotions select * from copies;
  insert into release_components select p.release_id, c.name, c.source, c.digest, c.media_type, c.tag
    from release_components c, promotions p where p.release_id <> c.release_id;
  insert into promotion_steps select p.id, s.step, s.state, s.started_at, s.ended_at, s.message
    from promotion_steps s, promotions p where p.id <> s.promotion_id;
  insert into gate_runs select (json_populate_record(g, json_build_object('id', 'gtr_' || substr(p.id, 5),
    'promotion_id', p.id))).* from gate_runs g, promotions p where p.id <> g.promotion_id`;

export async function runWaiting(): Promise<readonly Row[]> {
  const place = await makeServerPlace();
  const server = await startServerProcess(place);
  const database = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await database.connect();
  try {
    await makeOne(server, place);
    await database.query(COPY);
    await database.query('vacuum (analyze)');
    const { rows } = await database.query<{ count: string }>('select count(*) from stella.promotions');
    note(`${rows[0]?.count ?? 0} promotions wait`);
    const first = await look(database, server, place);
    await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
    const last = await look(database, server, place);
    const seconds = (last.atMs - first.atMs) / 1_000;
    await database.end();
    return [
      {
        bench: 'waiting',
        rows: ROWS,
        idleTxPerSecond: rounded((last.commits - first.commits) / seconds),
        cpuPercent: rounded((100 * (last.cpuSeconds - first.cpuSeconds)) / seconds),
        rssMb: Math.round(last.rssMb),
      },
    ];
  } finally {
    await server.stop();
    await place.remove();
  }
}

async function makeOne(server: ServerProcess, { layouts, targets }: ServerPlace): Promise<void> {
  await writeOciLayout(layouts, [{ tag: '1', files: { 'index.html': 'page' } }]);
  const client = adminClient(server);
  const text = [
    'kind: Environment',
    'name: web',
    'gates: [{ name: sign, kind: approval }]',
    `targets: [{ name: web, kind: files, component: web, directory: ${join(targets, 'web')} }]`,
    '',
  ].join('\n');
  await client.call('applyDefinitions', { body: { documents: [{ file: 'web.yaml', text }] } });
  const components = [{ name: 'web', artifact: `oci-layout:${layouts}:1` }];
  await client.call('createRelease', { body: { name: 'page-1', components } });
  const { id } = await client.call('createPromotion', { body: { release: 'page-1', environment: 'web' } });
  const isWaiting = async (): Promise<boolean> =>
    (await client.call('getPromotion', { parameters: { promotion: id } })).status === 'pending_approval';
  await waitFor(isWaiting, { timeoutMs: START_TIMEOUT_MS, why: 'the promotion waits for a person' });
}

interface Look {
  readonly atMs: number;
  readonly commits: number;
  /** Of the server and its PostgreSQL together. */
  readonly cpuSeconds: number;
  /** Of the server's process. */
  readonly rssMb: number;
}

async function look(database: pg.Client, { pid }: ServerProcess, { dataDir }: ServerPlace): Promise<Look> {
  await new Promise((resolve) => setTimeout(resolve, STATISTICS_DELAY_MS));
  const { rows } = await database.query<{ count: string }>(
    "select xact_commit as count from pg_stat_database where datname = 'stella'",
  );
  return {
    atMs: performance.now(),
    commits: Number(rows[0]?.count),
    cpuSeconds: await cpuSecondsOf([pid, ...(await postgresPidsOf(dataDir))]),
    rssMb: (await memoryOf(pid)).rssMb,
  };
}
