/**
 * Makes a database large: rows of a few real promotions (`models`) are copied by the million, each copy under ids, names and
 * times of its own. Columns are found in the catalogue, so that a new one is copied like the others. Indexes and
 * constraints are taken away before and made again after, which is several times faster.
 */
import type { Client } from 'pg';

/** Promotions and what hangs on them, in the order of their references. */
const TABLES = [
  'promotions',
  'promotion_steps',
  'gate_runs',
  'attempts',
  'attempt_outcomes',
  'locks',
  'events',
] as const;
type Table = (typeof TABLES)[number];

/** How the rows of one promotion are found, and in which order. */
const ROWS_OF: Readonly<Record<Table, { readonly where: string; readonly order: string }>> = {
  promotions: { where: 't.id = $1', order: 't.id' },
  promotion_steps: { where: 't.promotion_id = $1', order: 't.step' },
  gate_runs: { where: 't.promotion_id = $1', order: 't.id' },
  attempts: { where: 't.promotion_id = $1', order: 't.started_at, t.operation_id' },
  attempt_outcomes: { where: "starts_with(t.operation_id, $1 || '.')", order: 't.id' },
  locks: { where: 't.promotion_id = $1', order: 't.id' },
  events: { where: 't.promotion_id = $1', order: 't.promotion_seq' },
};

/** Rows of one table that one promotion may have, and fences that it may draw: the copies' numbers stand so far apart. */
const NUMBERS_PER_COPY = 100;

/** A real promotion, and the words of its rows that are other ones in each copy. */
export interface Model {
  readonly name: string;
  readonly id: string;
  readonly environment: string;
  readonly definitionHash: string;
  readonly releaseId: string;
  readonly baseReleaseId: string;
}

/**
 * The copies are rows of `bench.copies`: n, model, environment, definition_hash, release_id, base_release_id, shift (added
 * to every instant), head and tail (of their ids), event_base (how many events are before theirs).
 */
export async function keepModels(database: Client, models: readonly Model[]): Promise<void> {
  await database.query('create schema bench');
  for (const model of models) {
    for (const table of TABLES) {
      const { where, order } = ROWS_OF[table];
      await database.query(
        `create table bench.${table}_${model.name} as
         select t.*, row_number() over (order by ${order}) as place from ${table} t where ${where.replace('$1', quoted(model.id))}`,
      );
    }
  }
}

export async function countEvents(database: Client, { name }: Model): Promise<number> {
  const { rows } = await database.query<{ count: number }>(`select count(*)::int as count from bench.events_${name}`);
  return rows[0]?.count ?? 0;
}

/** Needs `bench.copies`; `note` is told of each table. */
export async function insertCopies(
  database: Client,
  models: readonly Model[],
  note: (text: string) => void,
): Promise<void> {
  await database.query("set synchronous_commit = off; set maintenance_work_mem = '512MB'");
  const restore = await takeAwayRules(database);
  for (const table of TABLES) {
    for (const model of models) await copyRows(database, table, model);
    note(`${table} copied`);
  }
  for (const statement of restore) await database.query(statement);
  note('indexes made');
}

interface Column {
  readonly name: string;
  readonly type: string;
}

async function copyRows(database: Client, table: Table, model: Model): Promise<void> {
  const kept = `bench.${table}_${model.name}`;
  const { rows: columns } = await database.query<Column>(
    `select attname as name, format_type(atttypid, null) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    [table],
  );
  const values: string[] = [];
  for (const column of columns) values.push(await valueOf(database, { table, kept, column, model }));
  await database.query(
    `insert into ${table} (${columns.map((column) => column.name).join(', ')}) overriding system value
     select ${values.join(', ')} from bench.copies c cross join ${kept} t where c.model = ${quoted(model.name)}`,
  );
}

interface ColumnOrder {
  readonly table: Table;
  readonly kept: string;
  readonly column: Column;
  readonly model: Model;
}

/** What a copy has in that column, as SQL over the model's row `t` and the copy `c`. */
async function valueOf(database: Client, { table, kept, column, model }: ColumnOrder): Promise<string> {
  const { name, type } = column;
  const own = `t.${name}`;
  if (name === 'fence_n') return `t.fence_n + c.n * ${NUMBERS_PER_COPY}`;
  if (table === 'events' && (name === 'id' || name === 'seq')) return 'c.event_base + t.place';
  if (table === 'attempt_outcomes' && name === 'id') return `c.n * ${NUMBERS_PER_COPY} + t.place`;
  if (table === 'promotions' && name === 'worker_id') return 'null';
  if (type === 'timestamp with time zone') return `${own} + c.shift`;
  if (type !== 'text' && type !== 'jsonb') return own;
  const { rows } = await database.query<{ text: string | null }>(
    `select string_agg(t.${name}::text, ' ') as text from ${kept} t`,
  );
  const changes = changesOf(rows[0]?.text ?? '', model);
  const start = type === 'jsonb' ? `${own}::text` : own;
  const changed = changes.reduce((text, [from, to]) => `replace(${text}, ${quoted(from)}, ${to})`, start);
  if (changes.length === 0) return own;
  return type === 'jsonb' ? `(${changed})::jsonb` : changed;
}

/** Ids that a promotion makes have the copy's time first and its number last; the middle tells those of one apart. */
function changesOf(text: string, model: Model): readonly (readonly [string, string])[] {
  const ids = new Set(text.match(/(?:prm|gtr|lck|apv)_[0-9a-f]{32}/g));
  const names = [
    [model.releaseId, 'c.release_id'],
    [model.baseReleaseId, 'c.base_release_id'],
    [model.environment, 'c.environment'],
    [model.definitionHash, 'c.definition_hash'],
  ] as const;
  return [
    ...[...ids].map((id) => {
      const to = `${quoted(id.slice(0, 4))} || c.head || ${quoted(id.slice(16, 28))} || c.tail`;
      return [id, to] as const;
    }),
    ...names.filter(([from]) => text.includes(from)),
  ];
}

/** Answers the statements that bring them back; references are then checked for new rows only. */
async function takeAwayRules(database: Client): Promise<readonly string[]> {
  const restore: string[] = [];
  const take = async (query: string, kind: 'constraint' | 'index'): Promise<void> => {
    const { rows } = await database.query<{ place: string; name: string; definition: string }>(query, [TABLES]);
    for (const { place, name, definition } of rows) {
      const add = `alter table ${place} add constraint ${name} ${definition}`;
      if (kind === 'index') await database.query(`drop index ${name}`);
      else await database.query(`alter table ${place} drop constraint ${name}`);
      restore.unshift(kind === 'index' ? definition : add);
    }
  };
  const constraints = `select conrelid::regclass::text as place, conname as name,
    pg_get_constraintdef(oid) || case contype when 'f' then ' not valid' else '' end as definition from pg_constraint`;
  for (const table of TABLES) {
    await database.query(`alter table ${table} disable trigger user, set (autovacuum_enabled = off)`);
    restore.push(`alter table ${table} enable trigger user, reset (autovacuum_enabled)`);
  }
  await take(
    `${constraints} where contype = 'f' and (conrelid = any ($1::regclass[]) or confrelid = any ($1::regclass[]))`,
    'constraint',
  );
  await take(`${constraints} where contype in ('p', 'u') and conrelid = any ($1::regclass[])`, 'constraint');
  await take(
    `select tablename as place, indexname as name, indexdef as definition from pg_indexes
     where schemaname = 'stella' and tablename = any ($1)`,
    'index',
  );
  return restore;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
