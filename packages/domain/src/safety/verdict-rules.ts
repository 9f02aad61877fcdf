/** S7: a verdict is set once, is supported by what was answered, and bound to what was asked and for how long. */
import {
  definitionHash,
  type GateDefinition,
  gateMeaningHash,
  isAttemptKind,
} from '../environment/environment-definition.ts';
import { gateNamed } from '../environment/freeze.ts';
import { LOCK_COMMIT_MS_MAX } from '../environment/observation.ts';
import { concerns, lastsUntilMs } from '../environment/soundness.ts';
import { personOf } from '../identity/actor.ts';
import type { GateRun } from '../promotion/promotion.ts';
import type { PromotionRecord } from './store-state.ts';
import { countedOutcome, type Found, hashOnce, type PromotionRule, unless } from './store-view.ts';

const set: PromotionRule = {
  name: 'S7.set',
  find: ({ gateRuns }) =>
    gateRuns
      .filter((run) => !isConsistent(run))
      .map(({ id, state, verdict }) => ({ subject: id, message: `is ${state} with verdict ${verdict ?? 'none'}` })),
};

function isConsistent({ state, verdict, verdictAtMs }: GateRun): boolean {
  if ((verdict === null) !== (verdictAtMs === null)) return false;
  if (state === 'passed' || state === 'failed') return verdict === state;
  // A round that is over keeps what was said in it.
  return verdict === null || (verdict === 'passed' && state === 'expired');
}

const supported: PromotionRule = {
  name: 'S7.supported',
  find: (record) =>
    record.gateRuns
      .filter((run) => run.verdict !== null && !isSupported(record, run))
      .map(({ id, verdict }) => ({ subject: id, message: `is ${verdict ?? ''}, and nobody said so` })),
};

function isSupported(record: PromotionRecord, run: GateRun): boolean {
  if (isAttemptKind(run.kind)) {
    return record.attempts.some((one) => one.gateRunId === run.id && countedOutcome(one)?.outcome === run.verdict);
  }
  if (run.kind !== 'approval') return true;
  const ofRun = record.approvals.filter((one) => one.gateRunId === run.id);
  if (run.verdict === 'failed') return ofRun.some((one) => one.decision === 'rejected');
  const requester = personOf(record.promotion.requestedBy);
  return ofRun.some((one) => one.decision === 'approved' && one.personId !== requester);
}

function declaredGate({ promotion }: PromotionRecord, run: GateRun): GateDefinition | undefined {
  return gateNamed(promotion.definition, run.gate);
}

const bound: PromotionRule = {
  name: 'S7.bound',
  find: (record, view) =>
    record.gateRuns.flatMap((run): Found[] => {
      const gate = declaredGate(record, run);
      const isBound =
        gate?.kind === run.kind &&
        hashOnce(view, { of: gate, slot: 'own', after: null }, () => gateMeaningHash(gate)) === run.meaningHash;
      return isBound ? [] : [{ subject: run.id, message: `is not bound to the gate ${run.gate} of its definition` }];
    }),
};

const validity: PromotionRule = {
  name: 'S7.validity',
  find: (record) =>
    record.gateRuns.flatMap((run): Found[] => {
      const validForMs = declaredGate(record, run)?.validForMs ?? 0;
      const untilMs = run.verdict === 'passed' && run.verdictAtMs !== null ? run.verdictAtMs + validForMs : null;
      return run.validUntilMs === untilMs
        ? []
        : [{ subject: run.id, message: 'counts for another time than was declared' }];
    }),
};

const frozen: PromotionRule = {
  name: 'S7.frozen',
  find: (record, view) => {
    const { definition, definitionHash: hash } = record.promotion;
    const isFrozen =
      hashOnce(view, { of: definition, slot: 'own', after: null }, () => definitionHash(definition)) === hash;
    return unless(isFrozen, record, 'its definition is not the one that its hash is of');
  },
};

/** A break that was found so long before the verdict had been committed by then: the verdict could see it. */
const soaked: PromotionRule = {
  name: 'S7.soaked',
  find: (record, view) =>
    record.gateRuns.flatMap((run): Found[] => {
      const gate = declaredGate(record, run);
      const { verdict, verdictAtMs } = run;
      if (run.kind !== 'soak' || gate?.kind !== 'soak' || verdict !== 'passed' || verdictAtMs === null) return [];
      const names = view.releases.get(record.promotion.releaseId)?.components.map(({ name }) => name) ?? [];
      const wasBroken = view.state.breaks.some(
        (one) =>
          gate.environments.includes(one.environment) &&
          concerns(one, names) &&
          one.sinceMs + LOCK_COMMIT_MS_MAX <= verdictAtMs &&
          lastsUntilMs(one) > verdictAtMs - gate.durationMs,
      );
      return wasBroken ? [{ subject: run.id, message: 'passed though what soaked was broken meanwhile' }] : [];
    }),
};

export const VERDICT_RULES: readonly PromotionRule[] = [set, supported, bound, validity, frozen, soaked];
