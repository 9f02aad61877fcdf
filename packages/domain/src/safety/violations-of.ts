/**
 * The rules of safety and liveness over a whole store: pure, and the same as the SQL of the server, which is proven
 * equal. What no stored row can show is checked elsewhere; `docs/safety.md` says where.
 */
import type { PromotionId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import { BATCH_RULES } from './batch-rules.ts';
import { CHAIN_PROMOTION_RULES, CHAIN_STORE_RULES } from './chain-rules.ts';
import { DIGEST_PROMOTION_RULES, DIGEST_STORE_RULES } from './digest-rules.ts';
import { FENCE_RULES } from './fence-rules.ts';
import { LOCK_PROMOTION_RULES, LOCK_STORE_RULES } from './lock-rules.ts';
import { QUOTA_RULES } from './quota-rules.ts';
import { OUTCOME_RULES } from './outcome-rules.ts';
import { RIGHT_RULES } from './right-rules.ts';
import { STATUS_RULES } from './status-rules.ts';
import type { StoreState } from './store-state.ts';
import { type HashMemo, makeStoreView, type PromotionRule, type StoreRule } from './store-view.ts';
import { TRAIL_RULES } from './trail-rules.ts';
import { VERDICT_RULES } from './verdict-rules.ts';
import { propertyOf, type Violation } from './violation.ts';
import { WAIT_RULES } from './wait-rules.ts';

export const PROMOTION_RULES: readonly PromotionRule[] = [
  ...LOCK_PROMOTION_RULES,
  ...FENCE_RULES,
  ...OUTCOME_RULES,
  ...STATUS_RULES,
  ...TRAIL_RULES,
  ...VERDICT_RULES,
  ...RIGHT_RULES,
  ...DIGEST_PROMOTION_RULES,
  ...CHAIN_PROMOTION_RULES,
  ...WAIT_RULES,
  ...QUOTA_RULES,
  ...BATCH_RULES,
];

export const STORE_RULES: readonly StoreRule[] = [...LOCK_STORE_RULES, ...DIGEST_STORE_RULES, ...CHAIN_STORE_RULES];

export interface ViolationScope {
  /** Only these promotions, and what belongs to no promotion; all without. */
  readonly only?: ReadonlySet<PromotionId>;
  /** Kept by a caller that asks about one store again and again. */
  readonly hashes?: HashMemo;
}

/** Empty: every property holds that stored rows can show. `nowMs` is the database's clock. */
export function violationsOf(state: StoreState, nowMs: InstantMs, scope: ViolationScope = {}): readonly Violation[] {
  const view = makeStoreView(state, nowMs, scope.hashes);
  const records = state.promotions.filter(({ promotion }) => scope.only?.has(promotion.id) ?? true);
  const ofPromotions = PROMOTION_RULES.flatMap((rule) =>
    records.flatMap((record) => rule.find(record, view).map((found) => toViolation(rule.name, found))),
  );
  const ofStore = STORE_RULES.flatMap((rule) => rule.find(view).map((found) => toViolation(rule.name, found)));
  return [...ofPromotions, ...ofStore];
}

function toViolation(rule: Violation['rule'], found: { subject: string; message: string }): Violation {
  return { property: propertyOf(rule), rule, ...found };
}
