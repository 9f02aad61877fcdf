/** Diagnoses for everybody who shows them: routes, the doctor, alerts. Reads only. */
import type { Cause, Diagnosis, PromotionId } from '@stella/domain';

export interface StalledPromotion {
  readonly promotionId: PromotionId;
  readonly environment: string;
  /** By the stall clock. */
  readonly sinceProgressMs: number;
  readonly summary: string;
  /** Null only when it went on meanwhile. */
  readonly firstCause: Cause | null;
}

export interface Diagnoser {
  /** Errors: `promotion.not_found`, `database.unavailable`. */
  diagnose(id: PromotionId): Promise<Diagnosis>;
  /** Those that count as stalled, longest first, at most `limit` (1 to 100), each with its first cause. */
  diagnoseStalled(limit: number): Promise<readonly StalledPromotion[]>;
}
