/** The global chain: appended by the sequencer after commit, read in its order (safety S13). */
import { chainHash, type Digest } from '@stella/domain';
import type { RecordedEvent, SequencedEvent } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull } from './row-values.ts';

const LOCK_HEAD: Statement = { name: 'chain_head_lock', text: 'select seq, chain_hash from chain_head for update' };

/** By id, which is given before commit: a late one is taken by a later batch, none is lost. */
const READ_UNSEQUENCED: Statement = {
  name: 'chain_unsequenced',
  text: 'select id, hash from events where seq is null order by id limit $1',
};

const SEQUENCE: Statement = {
  name: 'chain_append',
  text: `update events e set seq = s.seq, chain_hash = s.chain_hash
    from unnest($1::bigint[], $2::bigint[], $3::text[]) as s (id, seq, chain_hash) where e.id = s.id`,
};

const MOVE_HEAD: Statement = { name: 'chain_head_move', text: 'update chain_head set seq = $1, chain_hash = $2' };

const READ: Statement = {
  name: 'chain_read',
  text: `select seq, chain_hash, promotion_id, promotion_seq, type, actor, subject, data, at, hash from events
    where seq > $1 order by seq limit $2`,
};

const READ_OF_PROMOTION: Statement = {
  name: 'chain_read_promotion',
  text: `select seq, chain_hash, promotion_id, promotion_seq, type, actor, subject, data, at, hash from events
    where promotion_id = $3 and seq > $1 order by seq limit $2`,
};

const READ_PROMOTION_CHAIN: Statement = {
  name: 'chain_read_own',
  text: `select seq, chain_hash, promotion_id, promotion_seq, type, actor, subject, data, at, hash from events
    where promotion_id = $1 and promotion_seq > $2 order by promotion_seq limit $3`,
};

const HEAD: Statement = {
  name: 'chain_head_read',
  text: 'select seq, (select count(*) from (select 1 from events where seq is null limit 10000) e) as open from chain_head',
};

/** Appends at most `limit` events; answers how many. Several sequencers take turns by the head's row lock. */
export async function appendToChain(session: Session, limit: number): Promise<number> {
  const [head] = await session.rows(LOCK_HEAD);
  const rows = await session.rows(READ_UNSEQUENCED, [limit]);
  if (rows.length === 0) return 0;
  let seq = Number(head?.['seq'] ?? 0);
  let previous = (head?.['chain_hash'] ?? null) as Digest | null;
  const ids: number[] = [];
  const seqs: number[] = [];
  const hashes: string[] = [];
  for (const row of rows) {
    seq += 1;
    previous = chainHash(previous, String(row['hash']));
    ids.push(Number(row['id']));
    seqs.push(seq);
    hashes.push(previous);
  }
  await Promise.all([session.rows(SEQUENCE, [ids, seqs, hashes]), session.rows(MOVE_HEAD, [seq, previous])]);
  return rows.length;
}

/** Events after `afterSeq`, in order. */
export async function readChain(
  session: Session,
  { afterSeq, limit, promotionId }: { afterSeq: number; limit: number; promotionId: string | null },
): Promise<readonly SequencedEvent[]> {
  const rows =
    promotionId === null
      ? await session.rows(READ, [afterSeq, limit])
      : await session.rows(READ_OF_PROMOTION, [afterSeq, limit, promotionId]);
  return rows.map((row) => ({
    ...toEvent(row),
    seq: Number(row['seq']),
    chainHash: row['chain_hash'] as SequencedEvent['chainHash'],
  }));
}

/** Events of one promotion after a place in its own chain, sequenced or not. */
export async function readPromotionChain(
  session: Session,
  { promotionId, after, limit }: { promotionId: string; after: number; limit: number },
): Promise<readonly RecordedEvent[]> {
  return (await session.rows(READ_PROMOTION_CHAIN, [promotionId, after, limit])).map(toEvent);
}

function toEvent(row: Readonly<Record<string, unknown>>): RecordedEvent {
  return {
    // Written by us from checked values.
    seq: numberOrNull(row['seq']),
    chainHash: row['chain_hash'] as RecordedEvent['chainHash'],
    promotionId: row['promotion_id'] as RecordedEvent['promotionId'],
    promotionSeq: numberOrNull(row['promotion_seq']),
    type: row['type'] as RecordedEvent['type'],
    actor: row['actor'] as RecordedEvent['actor'],
    subject: String(row['subject']),
    data: row['data'] as RecordedEvent['data'],
    atMs: Number(row['at']),
    hash: row['hash'] as RecordedEvent['hash'],
  };
}

/** `unsequencedCount` is counted up to 10,000. */
export async function readChainHead(session: Session): Promise<{ seq: number; unsequencedCount: number }> {
  const [row] = await session.rows(HEAD);
  return { seq: Number(row?.['seq'] ?? 0), unsequencedCount: Number(row?.['open'] ?? 0) };
}
