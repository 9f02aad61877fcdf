/** The sequencer's port in memory. */
import { chainHash } from '@stella/domain';
import type { SequencerStore } from '@stella/server';
import { type MemoryConnections, transact } from './memory-session.ts';
import type { ChainHead, StoredEvent } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';

const HEAD_KEY = 'chain_head';

export function makeMemorySequencerStore(connections: MemoryConnections): SequencerStore {
  return {
    appendToChain: (limit) =>
      transact(connections, 'appendToChain', async (session) => {
        const head = await session.statement('lock', async (tx) => {
          await session.lock(HEAD_KEY);
          return headOf(tx);
        });
        const rows = await session.statement('read', (tx) => firstUnsequenced(tx, limit));
        if (rows.length === 0) return 0;
        await session.statement('write', (tx) => appendRows(tx, head, rows));
        return rows.length;
      }),
  };
}

function headOf(tx: MemoryTransaction): ChainHead {
  return tx.get(tx.state.chainHead, 'only') ?? { seq: 0, chainHash: null };
}

/** By id, which is given before commit: a late one is taken by a later batch, none is lost. */
function firstUnsequenced(tx: MemoryTransaction, limit: number): StoredEvent[] {
  return [...tx.rows(tx.state.unsequenced)].sort((a, b) => a.id - b.id).slice(0, limit);
}

function appendRows(tx: MemoryTransaction, head: ChainHead, rows: readonly StoredEvent[]): void {
  const { events, unsequenced } = tx.state;
  let { seq, chainHash: previous } = head;
  for (const row of rows) {
    seq += 1;
    previous = chainHash(previous, row.event.hash);
    tx.put(events, row.id, { ...row, seq, chainHash: previous });
    tx.remove(unsequenced, row.id);
  }
  tx.put(tx.state.chainHead, 'only', { seq, chainHash: previous });
}
