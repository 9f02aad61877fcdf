/** The first states of the exhaustive search, and rules that are wrong: each must be found, by the property it breaks. */
import { decide } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { DecideFunction } from './moves.ts';
import { search } from './search.ts';

const TIMEOUT_MS = 180_000;
const SMALL = { crashes: 1, skips: 1, gates: 2, statesMax: 1_500 } as const;

const passesUnasked: DecideFunction = (snapshot, context, actor, ended) => {
  const { promotion } = snapshot;
  const free = { ...promotion, definition: { ...promotion.definition, gates: [] } };
  const decision = decide({ ...snapshot, promotion: free }, context, actor, ended);
  return { ...decision, promotion: { ...decision.promotion, definition: promotion.definition } };
};

const seesNoHolder: DecideFunction = (snapshot, context, actor, ended) =>
  decide(snapshot, { ...context, guard: context.guard && { ...context.guard, holder: null } }, actor, ended);

const oversleeps: DecideFunction = (snapshot, context, actor, ended) => {
  const decision = decide(snapshot, context, actor, ended);
  const { nextActionAtMs } = decision.promotion;
  const later = nextActionAtMs === null ? null : nextActionAtMs + 3_600_000;
  return { ...decision, promotion: { ...decision.promotion, nextActionAtMs: later } };
};

describe('the search over all states', () => {
  for (const kind of ['contention', 'row'] as const) {
    it(`finds nothing wrong near the start of a ${kind}`, { timeout: TIMEOUT_MS }, () => {
      const report = search({ kind, ...SMALL });
      expect(report.first).toBeNull();
      expect(report.states).toBeGreaterThanOrEqual(SMALL.statesMax);
      expect(report.transitions).toBeGreaterThan(report.states);
    });
  }

  const wrong = [
    { name: 'passes gates unasked', decideWith: passesUnasked, property: /^S8/, gates: 2 },
    { name: 'does not see who has the lock', decideWith: seesNoHolder, property: /^S1/, gates: 0 },
    { name: 'looks again an hour late', decideWith: oversleeps, property: /^L1/, gates: 2 },
  ];
  for (const { name, decideWith, property, gates } of wrong) {
    it(`a rule that ${name} is found, with the way there`, { timeout: TIMEOUT_MS }, () => {
      const report = search({ kind: 'contention', crashes: 0, skips: 0, gates, statesMax: 20_000, decideWith });
      expect(report.violations).toBe(1);
      expect(report.first?.broken).toMatch(property);
      expect(report.first?.moves[0]).toBe('start');
    });
  }
});
