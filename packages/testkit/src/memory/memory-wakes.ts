/** Wake-ups, and those that a commit owes to promotions whose rows were held, as `owed-wakes.ts` of the PostgreSQL store has them. */
import type { PromotionId } from '@stella/domain';
import { type MemoryState, promotionKey, type StoredPromotion } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';

/** A process that lives has paid what it owes by then. */
const PAID_AFTER_MS = 1_000;

/** Live ones that look again later are due now; rows that another transaction holds are skipped. */
export function wakeRows(tx: MemoryTransaction, atMs: number, isWoken: (row: StoredPromotion) => boolean): void {
  const { promotions } = tx.state;
  for (const row of tx.rows(promotions)) {
    const { id, nextActionAtMs, version } = row.promotion;
    if (nextActionAtMs === null || nextActionAtMs <= atMs || !isWoken(row) || !tx.tryLock(promotionKey(id))) continue;
    tx.put(promotions, id, { ...row, promotion: { ...row.promotion, nextActionAtMs: atMs, version: version + 1 } });
  }
}

/** Whom the wake-up before it, in the same transaction, did not reach: their rows are held. */
export function oweSkipped(tx: MemoryTransaction, atMs: number, isWoken: (row: StoredPromotion) => boolean): void {
  for (const row of tx.rows(tx.state.promotions)) {
    const { id, nextActionAtMs } = row.promotion;
    if (nextActionAtMs === null || nextActionAtMs <= atMs || !isWoken(row)) continue;
    tx.state.lastOwedId += 1;
    tx.put(tx.state.owedWakes, tx.state.lastOwedId, { promotionId: id, owedAtMs: atMs });
    tx.owedWakes.push(id);
  }
}

/** The caller holds its row. */
export function wakeOwed(tx: MemoryTransaction, id: PromotionId): void {
  wakeRows(tx, tx.beganMs, ({ promotion }) => {
    const { step } = promotion;
    return promotion.id === id && (step === 'evaluate_gates' || step === 'acquire_locks');
  });
}

type Owed = MemoryState['owedWakes'] extends Map<number, infer Row> ? Row : never;

export function payOwed(tx: MemoryTransaction, isPaid: (one: Owed) => boolean): void {
  for (const [id, one] of tx.state.owedWakes) {
    if (tx.get(tx.state.owedWakes, id) !== undefined && isPaid(one)) tx.remove(tx.state.owedWakes, id);
  }
}

/** What processes that died still owe; whoever's row is held stays owed. */
export function payForTheDead(tx: MemoryTransaction): void {
  const late = new Set<PromotionId>();
  for (const { promotionId, owedAtMs } of tx.rows(tx.state.owedWakes)) {
    if (owedAtMs < tx.beganMs - PAID_AFTER_MS) late.add(promotionId);
  }
  for (const id of late) {
    if (!tx.tryLock(promotionKey(id))) continue;
    wakeOwed(tx, id);
    payOwed(tx, (one) => one.promotionId === id && one.owedAtMs < tx.beganMs - PAID_AFTER_MS);
  }
}
