/** The newest log lines of this process that are about promotions. Other processes have their own. */
import type { PromotionId } from '@stella/domain';

export interface LogLine {
  readonly atMs: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly promotionId: string;
  /** The constant message with the fields that tell more, as one line; never a secret. */
  readonly text: string;
}

export interface LogRing {
  /** Oldest first. */
  linesOf(promotionId: PromotionId): readonly LogLine[];
  /** How far back it reaches. */
  readonly sinceMs: number;
}
