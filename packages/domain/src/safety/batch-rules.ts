/** S19: no target of a batch is touched before every target of the batches before it was verified, and a canary judged. */
import { type Batch, batchesOf } from '../environment/deploy-strategy.ts';
import { promisedDigestOf } from '../environment/target-components.ts';
import { targetsOf } from '../promotion/scope.ts';
import type { Release } from '../release/release.ts';
import type { InstantMs } from '../values/instant.ts';
import type { PromotionRecord, StoredAttempt, StoredOutcome } from './store-state.ts';
import { countedOutcome, type PromotionRule, type StoreView, unless } from './store-view.ts';

const inTurn: PromotionRule = {
  name: 'S19.in_turn',
  find: (record, view) => {
    const isRight = deploysOf(record, view).every(({ attempt, before, release }) =>
      before.every((target) =>
        verifications(record, release, target).some((one) => one.endedAtMs <= attempt.startedAtMs),
      ),
    );
    return unless(isRight, record, 'touched a target before the batch before it was verified');
  },
};

const judged: PromotionRule = {
  name: 'S19.judged',
  find: (record, view) => {
    const { strategy } = record.promotion.definition;
    if (strategy?.kind !== 'canary') return [];
    const isRight = deploysOf(record, view)
      .filter(({ before }) => before.length > 0)
      .every(({ attempt, before, release }) => {
        const firstAtMs = before.flatMap((target) => earliest(verifications(record, release, target)) ?? []);
        const soaksUntilMs = Math.max(...firstAtMs) + strategy.soakMs;
        return firstAtMs.length === 0 || saidYes(record, soaksUntilMs, attempt.startedAtMs);
      });
    return unless(isRight, record, 'went on from its canary without a yes of the judge');
  },
};

interface BatchedDeploy {
  readonly attempt: StoredAttempt;
  /** Targets of all batches before. */
  readonly before: readonly string[];
  readonly release: Release;
}

/** Of promotions with a strategy. */
function deploysOf(record: PromotionRecord, view: StoreView): BatchedDeploy[] {
  const { definition, releaseId } = record.promotion;
  const release = view.releases.get(releaseId);
  if (definition.strategy === undefined || !release) return [];
  const names = targetsOf(record.promotion, release).map((target) => target.name);
  const batches = batchesOf(definition, names);
  return record.attempts
    .filter((one) => one.purpose === 'deploy')
    .map((attempt) => ({ attempt, before: targetsBefore(batches, attempt.subject), release }));
}

function targetsBefore(batches: readonly Batch[], target: string): readonly string[] {
  const own = batches.findIndex((batch) => batch.targets.includes(target));
  return batches.slice(0, Math.max(0, own)).flatMap((batch) => batch.targets);
}

/** Every time that the target reported what was promised. */
function verifications({ promotion, attempts }: PromotionRecord, release: Release, name: string): StoredOutcome[] {
  const target = promotion.definition.targets.find((one) => one.name === name);
  const promised = target ? promisedDigestOf(target, release) : null;
  return attempts.flatMap((attempt) => {
    const outcome = attempt.purpose === 'batch_verify' && attempt.subject === name ? countedOutcome(attempt) : null;
    return outcome?.outcome === 'succeeded' && outcome.digest === promised ? [outcome] : [];
  });
}

function earliest(outcomes: readonly StoredOutcome[]): InstantMs | null {
  return outcomes.length === 0 ? null : Math.min(...outcomes.map((one) => one.endedAtMs));
}

function saidYes({ attempts }: PromotionRecord, sinceMs: InstantMs, byMs: InstantMs): boolean {
  return attempts.some((attempt) => {
    const outcome = attempt.purpose === 'judge' && attempt.startedAtMs >= sinceMs ? countedOutcome(attempt) : null;
    return outcome?.outcome === 'passed' && outcome.endedAtMs <= byMs;
  });
}

export const BATCH_RULES: readonly PromotionRule[] = [inTurn, judged];
