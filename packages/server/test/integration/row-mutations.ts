/** Any column of any row set to something else: the value of another row, nothing, or a little more or less. */
import fc from 'fast-check';
import { type Database, query } from '../../src/store/connection.ts';

export interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
}

/** Keys by which rows point to each other stay: an orphan is no state of a store, and foreign keys keep it out. */
const KEYS: ReadonlySet<string> = new Set([
  'promotions.id',
  'promotions.definition_hash',
  'gate_runs.id',
  'attempts.operation_id',
  'attempt_outcomes.id',
  'approvals.id',
  'locks.id',
  'environments.name',
  'environments.hash',
  'environments.version',
  'workers.id',
  'releases.id',
  'events.id',
  'environment_definitions.hash',
]);

const TABLES = [
  'promotions',
  'promotion_steps',
  'gate_runs',
  'attempts',
  'attempt_outcomes',
  'approvals',
  'locks',
  'environments',
  'workers',
  'releases',
  'release_components',
  'target_observations',
  'events',
  'chain_head',
] as const;

export async function listColumns(database: Database): Promise<readonly Column[]> {
  const rows = await query(
    database,
    {
      name: '',
      text: `select table_name, column_name, data_type from information_schema.columns
        where table_schema = 'stella' and table_name = any ($1) order by table_name, ordinal_position`,
    },
    [TABLES],
  );
  return rows
    .map((row) => ({
      table: String(row['table_name']),
      name: String(row['column_name']),
      type: String(row['data_type']),
    }))
    .filter(({ table, name }) => !KEYS.has(`${table}.${name}`));
}

export interface Mutation {
  readonly column: number;
  readonly row: number;
  readonly kind: 'other' | 'null' | 'more' | 'less' | 'delete';
  readonly other: number;
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  column: fc.nat(9_999),
  row: fc.nat(9_999),
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constant('other' as const) },
    { weight: 2, arbitrary: fc.constant('null' as const) },
    { weight: 3, arbitrary: fc.constantFrom('more' as const, 'less' as const) },
    { weight: 1, arbitrary: fc.constant('delete' as const) },
  ),
  other: fc.nat(9_999),
});

/** What may go without leaving an orphan. */
const LEAVES: ReadonlySet<string> = new Set(['attempt_outcomes', 'approvals', 'locks', 'events', 'promotion_steps']);

export function describeMutation(columns: readonly Column[], { column, row, kind, other }: Mutation): string {
  const target = columns[column % columns.length];
  if (!target) throw new Error('no columns');
  const { table, name } = target;
  const at = `(select ctid from ${table} t order by t::text offset ${row} % (select count(*) from ${table}) limit 1)`;
  if (kind === 'delete' && LEAVES.has(table)) return `delete from ${table} where ctid = ${at}`;
  return `update ${table} set ${name} = ${valueOf(target, kind, other)} where ctid = ${at}`;
}

function valueOf({ table, name, type }: Column, kind: Mutation['kind'], other: number): string {
  const isMore = kind === 'more';
  if (kind === 'null') return 'null';
  if (kind !== 'other' && type === 'bigint') return `${name} ${isMore ? '+' : '-'} 1`;
  if (kind !== 'other' && type.startsWith('timestamp')) {
    return `${name} ${isMore ? '+' : '-'} ${(other % 3) + 1} * interval '1 minute'`;
  }
  return `(select ${name} from ${table} order by ${name}::text offset ${other} % (select count(*) from ${table}) limit 1)`;
}
