/** The rows of a database, kept in a schema of their own and put back: far quicker than a new database for each run. */
import type pg from 'pg';

const SEQUENCES = `select format('setval(%L, %s, %L)', format('stella.%I', sequencename), coalesce(last_value, 1),
  last_value is not null) as set from pg_sequences where schemaname = 'stella'`;

/** Answers what puts everything back as it is now. */
export async function saveRows(admin: pg.Client): Promise<() => Promise<void>> {
  const tables = await tablesInOrder(admin);
  await admin.query('drop schema if exists saved cascade; create schema saved');
  for (const table of tables) await admin.query(`create table saved.${table} as table stella.${table}`);
  const { rows } = await admin.query<{ set: string }>(SEQUENCES);
  const sets = `select ${rows.map((row) => row.set).join(', ')}`;
  const deletes = tables.toReversed().map((table) => `delete from stella.${table}`);
  const inserts = tables.map((table) => `insert into stella.${table} overriding system value table saved.${table}`);
  const restore = ['begin', ...deletes, ...inserts, sets, 'commit'].join('; ');
  return async () => void (await admin.query(restore));
}

/** What a table refers to comes before it. */
async function tablesInOrder(admin: pg.Client): Promise<readonly string[]> {
  const { rows } = await admin.query<{ name: string; refers: string[] }>(
    `select t.tablename as name, array(select r.relname::text from pg_constraint c join pg_class r on r.oid = c.confrelid
       where c.conrelid = format('stella.%I', t.tablename)::regclass and c.contype = 'f' and r.relname <> t.tablename)
       as refers
     from pg_tables t where t.schemaname = 'stella' and t.tablename not in ('schema_migrations')`,
  );
  const left = new Map(rows.map(({ name, refers }) => [name, refers]));
  const ordered: string[] = [];
  while (left.size > 0) {
    const free = [...left].filter(([, refers]) => refers.every((name) => !left.has(name))).map(([name]) => name);
    if (free.length === 0) throw new Error(`tables refer to each other in a circle: ${[...left.keys()].join(', ')}`);
    for (const name of free) left.delete(name);
    ordered.push(...free);
  }
  return ordered;
}
