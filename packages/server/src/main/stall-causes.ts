/**
 * The first causes of stalled promotions, for `/metrics`. Anybody may scrape as often as he likes, and each diagnosis is
 * several statements: so there is one look at a time, and its answer holds for a while.
 */
import type { PromotionId } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { Diagnoser } from '../ports/diagnoser.ts';

/** Shorter than the usual pause between two scrapes. */
const KEEP_MS = 10_000;

/** By promotion: `gate.slow`. */
export type StallCauses = ReadonlyMap<PromotionId, string>;

export interface StallCausesDeps {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly diagnoser: Pick<Diagnoser, 'diagnoseStalled'>;
  /** How many are looked at, those that stall for longest. */
  readonly limit: number;
}

/** Answers what was seen at most 10 s ago, else looks anew. A look that fails is told to all who wait for it, and not kept. */
export function makeStallCauses({ clock, diagnoser, limit }: StallCausesDeps): () => Promise<StallCauses> {
  let last: { readonly atMs: number; readonly answer: Promise<StallCauses> } | null = null;
  let isUnderWay = false;
  return () => {
    if (last !== null && (isUnderWay || clock.monotonicMs() - last.atMs < KEEP_MS)) return last.answer;
    isUnderWay = true;
    const answer = diagnoser
      .diagnoseStalled(limit)
      .then((found) => new Map(found.map((one) => [one.promotionId, one.firstCause?.code ?? 'unknown'])))
      .catch((error: unknown) => {
        last = null;
        throw error;
      })
      .finally(() => {
        isUnderWay = false;
      });
    last = { atMs: clock.monotonicMs(), answer };
    return answer;
  };
}
