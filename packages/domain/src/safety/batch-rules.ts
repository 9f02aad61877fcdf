/** S19: no target of a batch is touched before every target of the batches before it was verified. */
import { batchesOf } from '../environment/deploy-strategy.ts';
import { targetsOf } from '../promotion/scope.ts';
import type { Release } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import type { InstantMs } from '../values/instant.ts';
import type { PromotionRecord } from './store-state.ts';
import { countedOutcome, type PromotionRule, unless } from './store-view.ts';

const inTurn: PromotionRule = {
  name: 'S19.in_turn',
  find: (record, view) => {
    const { definition, releaseId } = record.promotion;
    const release = view.releases.get(releaseId);
    if (definition.strategy === undefined || !release) return [];
    const names = targetsOf(record.promotion, release).map((target) => target.name);
    const batches = batchesOf(definition, names);
    const isRight = record.attempts
      .filter((one) => one.purpose === 'deploy')
      .every(({ subject, startedAtMs }) => {
        const own = batches.findIndex((batch) => batch.targets.includes(subject));
        const before = batches.slice(0, Math.max(0, own)).flatMap((batch) => batch.targets);
        return before.every((target) => wasVerified(record, release, { target, byMs: startedAtMs }));
      });
    return unless(isRight, record, 'touched a target before the batch before it was verified');
  },
};

function wasVerified(
  { promotion, attempts }: PromotionRecord,
  release: Release,
  { target, byMs }: { readonly target: string; readonly byMs: InstantMs },
): boolean {
  const promised = promisedAt(promotion, release, target);
  return attempts.some((attempt) => {
    if (attempt.purpose !== 'batch_verify' || attempt.subject !== target) return false;
    const outcome = countedOutcome(attempt);
    const isGood = outcome?.outcome === 'succeeded' && outcome.digest === promised;
    return isGood && outcome.endedAtMs <= byMs;
  });
}

function promisedAt({ definition }: PromotionRecord['promotion'], release: Release, name: string): Digest | undefined {
  const component = definition.targets.find((one) => one.name === name)?.component;
  return release.components.find((one) => one.name === component)?.digest;
}

export const BATCH_RULES: readonly PromotionRule[] = [inTurn];
