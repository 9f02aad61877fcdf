/**
 * A server whose database holds so many promotions that have ended, and 1,000 that hang in a gate: six promotions are real,
 * the others copies of their rows. The newest copies are chained anew, so that the audit has nothing to find.
 */
import { createServer, type Server } from 'node:http';
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
import { countEvents, insertCopies, keepModels, type Model } from './bulk-copies.ts';
import { note } from './report.ts';

/** Of the copies. */
const ENVIRONMENTS = Array.from({ length: 40 }, (_, index) => `place-${String(index).padStart(2, '0')}`);
const MODEL_ENVIRONMENT = 'model-place';
const MODEL_TIMEOUT_MS = 120_000;
/** How many events each has that has ended, on average: those that completed have more, the others fewer. */
const EVENTS_PER_PROMOTION = 10;
/** Newest copies that are chained anew: more than a pass of the audit looks at. */
const CHAINED_COPIES = 3_000;

export interface Sizes {
  readonly ended: number;
  readonly inProgress: number;
}

export interface FilledPlace {
  readonly sizes: Sizes;
  readonly server: ServerProcess;
  readonly database: pg.Client;
  readonly eventCount: number;
  remove(): Promise<void>;
}

export async function makeFilledPlace(sizes: Sizes): Promise<FilledPlace> {
  const place = await makeServerPlace();
  const gate = await startGate();
  const remove = async (): Promise<void> => {
    gate.server.closeAllConnections();
    gate.server.close();
    await place.remove();
  };
  try {
    const first = await startServerProcess(place);
    const database = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
    await database.connect();
    await database.query('set search_path = stella');
    const models = await makeModels(first, { place, gate, database });
    // Stopped, it would take its PostgreSQL with it.
    await first.kill();
    await fill(database, models, sizes);
    const server = await startServerProcess(place);
    await untilHeld(database, sizes.inProgress);
    const { rows } = await database.query<{ count: number }>('select count(*)::int as count from events');
    const removeAll = async (): Promise<void> => {
      await database.end();
      await remove();
    };
    return { sizes, server, database, eventCount: rows[0]?.count ?? 0, remove: removeAll };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Gate {
  readonly server: Server;
  readonly url: string;
  /** Null: it takes the question and never answers. */
  answer: 'passed' | 'failed' | null;
}

async function startGate(): Promise<Gate> {
  const gate: { answer: Gate['answer'] } = { answer: 'passed' };
  const server = createServer((_request, response) => {
    if (gate.answer === null) return;
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ verdict: gate.answer }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  return Object.assign(gate, { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
}

interface Stage {
  readonly place: ServerPlace;
  readonly gate: Gate;
  readonly database: pg.Client;
}

/** The real ones: two that complete, one that is rejected, one that is cancelled, one that hangs. */
async function makeModels(server: ServerProcess, { place, gate, database }: Stage): Promise<readonly Model[]> {
  const client = adminClient(server);
  await writeOciLayout(place.layouts, [{ tag: 'page', files: { 'index.html': 'page' } }]);
  const documents = [MODEL_ENVIRONMENT, ...ENVIRONMENTS].map((name) => ({
    file: `${name}.yaml`,
    text: [
      'kind: Environment',
      `name: ${name}`,
      `gates: [{ name: tests, kind: http, url: "${gate.url}", timeout: 1h }]`,
      `targets: [{ name: web, kind: files, component: web, directory: ${join(place.targets, name)} }]`,
      '',
    ].join('\n'),
  }));
  await client.call('applyDefinitions', { body: { documents } });
  const promote = async (release: string, answer: Gate['answer'], until: string): Promise<string> => {
    gate.answer = answer;
    const components = [{ name: 'web', artifact: `oci-layout:${place.layouts}:page` }];
    await client.call('createRelease', { body: { name: release, components } });
    const { id } = await client.call('createPromotion', { body: { release, environment: MODEL_ENVIRONMENT } });
    await untilRow(database, until, id);
    return id;
  };
  await promote('base', 'passed', "p.status = 'completed'");
  const completed = await promote('model-completed', 'passed', "p.status = 'completed'");
  const rejected = await promote('model-rejected', 'failed', "p.status = 'rejected'");
  const isAsking = "exists (select from gate_runs g where g.promotion_id = p.id and g.state = 'evaluating')";
  const cancelled = await promote('model-cancelled', null, isAsking);
  await client.call('cancelPromotion', { parameters: { promotion: cancelled }, body: {} });
  await untilRow(database, "p.status = 'cancelled'", cancelled);
  const hanging = await promote('model-hanging', null, isAsking);
  const isChained = 'not exists (select from events e where e.promotion_id = p.id and e.seq is null)';
  for (const id of [completed, rejected, cancelled, hanging]) await untilRow(database, isChained, id);
  const ids = { completed, rejected, cancelled, hanging };
  const models: Model[] = [];
  for (const [name, id] of Object.entries(ids)) models.push(await readModel(database, name, id));
  await keepModels(database, models);
  return models;
}

async function untilRow(database: pg.Client, condition: string, id: string): Promise<void> {
  const isSo = async (): Promise<boolean> =>
    (await database.query(`select from promotions p where p.id = $1 and ${condition}`, [id])).rowCount === 1;
  await waitFor(isSo, { timeoutMs: MODEL_TIMEOUT_MS, why: `${id}: ${condition}` });
}

async function readModel(database: pg.Client, name: string, id: string): Promise<Model> {
  const { rows } = await database.query<Omit<Model, 'name'>>(
    `select p.id, p.environment, p.definition_hash as "definitionHash", p.release_id as "releaseId",
       coalesce(p.base_release_id, (select b.id from releases b where b.name = 'base')) as "baseReleaseId"
     from promotions p where p.id = $1`,
    [id],
  );
  const [row] = rows;
  if (!row) throw new Error(`there is no promotion ${id}`);
  return { ...row, name };
}

/** Release `k` of the copies; null of null. */
function releaseId(k: string): string {
  return `'rel_0174876e8000700080000000' || lpad(to_hex(${k}), 8, '0')`;
}

/** The release that completed last in the same environment. */
const BASE = "max(release) filter (where model = 'completed') over earlier";

/** A worker runs so many at a time. */
const HELD_MAX = 1_000;

/** Four environments get a release each; who has ended began within a year, who hangs within three quarters of an hour. */
const COPIES = `create table bench.copies as
  with timed as (
    select n, case when n > $1 then 'hanging' when n % 100 < $3 then 'completed' when n % 4 = 0 then 'cancelled'
        else 'rejected' end as model,
      case when n > $1 then now() - interval '45 minutes' * (1 - (n - $1)::float8 / ($2 + 1))
        else now() - interval '2 hours' - interval '1 year' * (1 - n::float8 / $1) end as created_at,
      (n - 1) / 4 + 1 as release, (n % 4) * 10 + ((n - 1) / 4) % 10 as environment
    from generate_series(1, $1::bigint + $2) n
  ), named as (
    select t.n, t.model, t.created_at, t.release, e.name as environment, e.hash as definition_hash,
      lpad(to_hex((extract(epoch from date_trunc('milliseconds', t.created_at)) * 1000)::bigint), 12, '0') as head,
      lpad(to_hex(t.n), 8, '0') as tail,
      date_trunc('milliseconds', t.created_at) - m.created_at as shift, m.events
    from timed t join environments e on e.name = 'place-' || lpad(t.environment::text, 2, '0')
      join bench.models m on m.name = t.model
  )
  select n.*, ${releaseId('release')} as release_id, coalesce(${releaseId(BASE)}, (select id from releases where name = 'base'))
      as base_release_id,
    (select seq from chain_head) + coalesce(sum(events) over (order by n rows between unbounded preceding and 1 preceding), 0)
      as event_base
  from named n window earlier as (partition by environment order by n rows between unbounded preceding and 1 preceding)`;

const RELEASES = `insert into releases (id, name, number, created_at, created_by)
    select c.release_id, 'release-' || c.release, nextval('release_numbers'), min(c.created_at), r.created_by
    from bench.copies c cross join releases r where r.name = 'base' group by c.release_id, c.release, r.created_by
    order by c.release;
  insert into release_components
    select (json_populate_record(k, json_build_object('release_id', r.id))).*
    from releases r cross join release_components k join releases b on b.id = k.release_id and b.name = 'base'
    where r.name like 'release-%'`;

/** What completed there last is what each environment runs. */
const ENVIRONMENTS_RUN = `update environments e set release_id = p.release_id, release_number = r.number,
    released_at = p.ended_at, state = m.state, components = jsonb_build_array((m.components -> 0)
      || jsonb_build_object('releaseId', p.release_id, 'releaseNumber', r.number,
        'releasedAtMs', (extract(epoch from p.ended_at) * 1000)::bigint))
  from environments m, lateral (select distinct on (environment) * from promotions where status = 'completed'
    order by environment, ended_at desc) p join releases r on r.id = p.release_id
  where m.name = 'model-place' and p.environment = e.name and e.name <> m.name`;

/** Hashes of the newest copies: of each promotion's own chain, then of the global one. */
const CHAIN = `do $chain$
declare
  own text; place text; one events; whole text;
begin
  for place in select id from promotions order by id desc limit ${CHAINED_COPIES} loop
    own := null;
    for one in select * from events where promotion_id = place order by promotion_seq loop
      own := event_hash(own, one, one.promotion_seq);
      update events set hash = own where id = one.id;
    end loop;
    update promotions set chain_head = own where id = place;
  end loop;
  for one in select * from events where seq > (select seq from chain_head) order by seq desc
      limit ${CHAINED_COPIES * EVENTS_PER_PROMOTION} loop null; end loop;
  if one.seq is null then return; end if;
  select chain_hash into whole from events where seq = one.seq - 1;
  for one in select * from events where seq >= one.seq order by seq loop
    whole := text_digest(coalesce(whole, '') || chr(10) || one.hash);
    update events set chain_hash = whole where id = one.id;
  end loop;
  update chain_head set seq = one.seq, chain_hash = whole;
end $chain$`;

const COUNTERS = `select setval('fence_numbers', (select max(fence_n) from attempts)),
    setval(pg_get_serial_sequence('events', 'id'), (select max(id) from events)),
    setval(pg_get_serial_sequence('attempt_outcomes', 'id'), (select max(id) from attempt_outcomes));
  update audit_progress set live_seq = (select seq from chain_head)`;

async function fill(database: pg.Client, models: readonly Model[], { ended, inProgress }: Sizes): Promise<void> {
  await database.query('create table bench.models (name text, created_at timestamptz, events int)');
  const counts = new Map<string, number>();
  for (const model of models) {
    const count = await countEvents(database, model);
    counts.set(model.name, count);
    await database.query('insert into bench.models select $1, created_at, $2 from promotions where id = $3', [
      model.name,
      count,
      model.id,
    ]);
  }
  await database.query(COPIES, [ended, inProgress, completedPercent(counts)]);
  await database.query('create index on bench.copies (model); analyze bench.copies');
  await database.query(RELEASES);
  await insertCopies(database, models, (text) => note(`${ended}: ${text}`));
  await database.query('alter table promotions disable trigger user; alter table events disable trigger user');
  await database.query('update promotions set next_action_at = now() where ended_at is null');
  await database.query(CHAIN);
  await database.query('alter table promotions enable trigger user; alter table events enable trigger user');
  await database.query(ENVIRONMENTS_RUN);
  await database.query(COUNTERS);
  await database.query('vacuum (analyze)');
  note(`${ended}: filled`);
}

/** So many of a hundred complete that all have as many events as they should have, on average. */
function completedPercent(counts: ReadonlyMap<string, number>): number {
  const most = counts.get('completed') ?? 0;
  const few = (2 * (counts.get('rejected') ?? 0) + (counts.get('cancelled') ?? 0)) / 3;
  note(`events of one that completes: ${most}, of others: ${Math.round(few)}`);
  return Math.min(90, Math.max(20, Math.round((100 * (EVENTS_PER_PROMOTION - few)) / (most - few))));
}

/** All that hang are worked for before anything is measured. */
async function untilHeld(database: pg.Client, count: number): Promise<void> {
  const areHeld = async (): Promise<boolean> => {
    const { rows } = await database.query<{ count: number }>(
      'select count(*)::int as count from promotions where worker_id is not null and ended_at is null',
    );
    return (rows[0]?.count ?? 0) >= Math.min(count, HELD_MAX);
  };
  await waitFor(areHeld, { timeoutMs: MODEL_TIMEOUT_MS, why: 'a worker holds all that hang' });
}
