/** The sequencer's port on PostgreSQL. */
import type { SequencerStore } from '../ports/sequencer-store.ts';
import { appendToChain } from './chain-rows.ts';
import { type Database, transact } from './connection.ts';

export function makeSequencerStore(database: Database): SequencerStore {
  return { appendToChain: (limit) => transact(database, (session) => appendToChain(session, limit)) };
}
