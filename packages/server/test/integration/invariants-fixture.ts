/** A store with a past whose rows a test may corrupt: constraints and triggers are away, and each corruption is rolled back. */
import type { StoreState, Violation } from '@stella/domain';
import { violationsOf } from '@stella/domain';
import { type Database, openDatabase, openDirect, type Session, transact } from '../../src/store/connection.ts';
import { checkEverything } from '../../src/store/invariants/check-invariants.ts';
import { readStoreState } from '../../src/store/invariants/read-store-state.ts';
import { openPostgresStoreWorld, type PostgresStoreWorld } from '../contract/postgres-store-world.ts';
import { writeHistory } from '../contract/store-history.ts';
import { makeMemoryLogger, makeTemporaryDirectory, startPostgresIn } from './postgres-fixture.ts';

/** What keeps wrong rows out. The order of the global chain stays unique: without it there is no chain to speak of. */
const LET_GO = `do $$
declare item record;
begin
  for item in select c.conrelid::regclass as place, c.conname as name from pg_constraint c
    where c.connamespace = 'stella'::regnamespace and (c.contype in ('c', 'f')
      or (c.contype = 'u' and c.conname <> 'events_seq_key'))
    order by c.contype = 'u' loop
    execute format('alter table %s drop constraint %I cascade', item.place, item.name);
  end loop;
  for item in select t.tgrelid::regclass as place, t.tgname as name from pg_trigger t
    join pg_class c on c.oid = t.tgrelid where c.relnamespace = 'stella'::regnamespace and not t.tgisinternal loop
    execute format('drop trigger %I on %s', item.name, item.place);
  end loop;
end $$;
drop index promotions_live; drop index locks_exclusive; drop index attempt_outcomes_counting;`;

/** Both judgements of one and the same state. */
export interface Judgement {
  readonly state: StoreState;
  readonly predicates: readonly Violation[];
  readonly sql: readonly Violation[];
}

export interface CorruptibleStore {
  readonly world: PostgresStoreWorld;
  readonly database: Database;
  /** Null: the statement could not be carried out. Nothing of it stays. */
  judge(corruption: string | null, atMs?: number): Promise<Judgement | null>;
  close(): Promise<void>;
}

class Undo extends Error {
  readonly judgement: Judgement;
  constructor(judgement: Judgement) {
    super('rolled back');
    this.judgement = judgement;
  }
}

export async function openCorruptibleStore(): Promise<CorruptibleStore> {
  const directory = makeTemporaryDirectory();
  const postgres = await startPostgresIn(directory.path);
  const place = { kind: 'socket', directory: postgres.socketDirectory, database: postgres.databaseName } as const;
  const owner = { ...place, user: postgres.ownerRole };
  const world = await openPostgresStoreWorld({
    owner,
    app: { ...place, user: postgres.appRole },
    appRole: postgres.appRole,
  });
  await writeHistory(world);
  const database = openDatabase(owner, { logger: makeMemoryLogger(), poolSize: 1 });
  const { client } = await openDirect(database, {});
  await client.query(LET_GO);
  await client.end();
  return {
    world,
    database,
    judge: (corruption, atMs) => judge(database, corruption, atMs ?? world.control.nowMs()),
    close: async () => {
      await database.close();
      await world.close();
      await postgres.stop();
      directory.remove();
    },
  };
}

/** The rules ask the database's clock, too, which is that of the world. */
const OF_WORLDS_CLOCK = { name: '', text: 'set local search_path = clock, stella, pg_catalog, pg_temp' };

async function judge(database: Database, corruption: string | null, nowMs: number): Promise<Judgement | null> {
  try {
    await transact(database, async (session) => {
      await session.rows(OF_WORLDS_CLOCK);
      if (corruption !== null) await session.rows({ name: '', text: corruption });
      throw new Undo(await compare(session, nowMs));
    });
  } catch (error) {
    if (error instanceof Undo) return error.judgement;
    // 23502: a column that is never null; 23505: the one uniqueness that stays.
    if (['23502', '23505'].includes((error as { code?: string }).code ?? '')) return null;
    throw error;
  }
  throw new Error('nothing was judged');
}

async function compare(session: Session, nowMs: number): Promise<Judgement> {
  const state = await readStoreState(session);
  return { state, predicates: violationsOf(state, nowMs), sql: await checkEverything(session, nowMs) };
}

/** `S1.exclusive environment:prod`, sorted, each once: what the two have to agree on. */
export function namesOf(violations: readonly Violation[]): string[] {
  return [...new Set(violations.map(({ rule, subject }) => `${rule} ${subject}`))].sort();
}
