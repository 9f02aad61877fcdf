/** What the collector of debts asks of the database. Every method is one transaction and has a deadline. */
import type { Actor, DebtAnswer, GateDebt, PromotionSnapshot } from '@stella/domain';

export interface DueDebt {
  /** As it was claimed: `askCount` says for which time. */
  readonly debt: GateDebt;
  /** Of the promotion that left it, read now. */
  readonly snapshot: PromotionSnapshot;
  /** By the database's clock. */
  readonly nowMs: number;
}

export interface TakenDebts {
  readonly due: readonly DueDebt[];
  /** Whose promotion could not be read: due again after `debts.interval`, so that one broken row stops no other debt. */
  readonly unreadable: readonly { readonly debt: GateDebt; readonly error: unknown }[];
}

export interface DebtStore {
  /**
   * Open debts that are due, oldest first, at most `limit`; those that another one claims at this moment are skipped. The
   * claim moves the due time beyond the deadline of the asking, so that a debt whose collector died is due again.
   */
  takeDueDebts(limit: number): Promise<TakenDebts>;
  /**
   * What the gate answered, with its event. Null, and nothing is written, when the debt was closed or claimed again
   * meanwhile: then this answer is late.
   */
  recordAnswer(debt: GateDebt, answer: DebtAnswer, actor: Actor): Promise<GateDebt | null>;
  /** The verdict that a gate's service called back with; null: none yet. */
  findCallback(
    operationId: string,
  ): Promise<{ readonly outcome: 'passed' | 'failed'; readonly message: string } | null>;
}
