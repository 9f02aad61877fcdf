/**
 * What the database can do at most: as many commits as wanted, each one statement that updates a row, inserts an event
 * and an outbox row, over a pool of the engine's size, on the same cluster with the same settings.
 */
import pg from 'pg';

/** As the server's own pool. */
export const POOL_SIZE = 12;
const ROWS = 1_000;

const SETUP = `
  create schema if not exists bench;
  create table if not exists bench.items (id bigint primary key, version bigint not null, state text not null)
    with (fillfactor = 70);
  create table if not exists bench.events (id bigint generated always as identity primary key,
    item bigint not null, data jsonb not null, at timestamptz not null default now());
  create table if not exists bench.outbox (id bigint generated always as identity primary key, item bigint not null);
  insert into bench.items select n, 0, 'waiting' from generate_series(1, ${ROWS}) n on conflict do nothing`;

const STEP = `with moved as (
    update bench.items set version = version + 1, state = $2 where id = $1 returning id),
  told as (insert into bench.events (item, data) select id, $3 from moved)
  insert into bench.outbox (item) select id from moved`;

const EVENT = JSON.stringify({ from: 'evaluate_gates', to: 'acquire_locks', outcome: 'succeeded', message: '' });

/** Commits per second at that concurrency. `owner`: a role that may create a schema. */
export async function measureRawCommits(
  owner: pg.PoolConfig,
  { concurrency, commitCount }: { readonly concurrency: number; readonly commitCount: number },
): Promise<number> {
  const pool = new pg.Pool({ ...owner, max: POOL_SIZE });
  try {
    await pool.query(SETUP);
    await run(pool, concurrency, concurrency * 20);
    const startMs = performance.now();
    await run(pool, concurrency, commitCount);
    return commitCount / ((performance.now() - startMs) / 1_000);
  } finally {
    await pool.query('drop schema bench cascade');
    await pool.end();
  }
}

async function run(pool: pg.Pool, concurrency: number, commitCount: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < commitCount) {
      next += 1;
      const values = [(next % ROWS) + 1, next % 2 === 0 ? 'waiting' : 'moving', EVENT];
      await pool.query({ name: 'raw_step', text: STEP, values });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
