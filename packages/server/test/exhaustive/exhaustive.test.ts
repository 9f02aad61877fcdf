/** The first states of the exhaustive search, and rules that are wrong: each must be found, by the property it breaks. */
import type { PlantedBug } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { search, type SearchPlan } from './search.ts';

const TIMEOUT_MS = 180_000;
const STATES_MAX = 1_500;

interface Wrong {
  readonly bug: PlantedBug;
  readonly property: RegExp;
  readonly plan?: Partial<SearchPlan>;
}

/** Most show with one promotion and the gates that they are about. */
const WRONG: readonly Wrong[] = [
  { bug: 'event.missing_for_step', property: /^S6/ },
  { bug: 'event.missing_for_status', property: /^S6/ },
  { bug: 'chain.unlinked', property: /^S13/ },
  { bug: 'deadline.too_late', property: /^L1/ },
  { bug: 'lock.environment_not_exclusive', property: /^S1/ },
  { bug: 'lock.artifact_ignored', property: /^S1/ },
  { bug: 'lock.kept_at_end', property: /^L4/ },
  { bug: 'lock.taken_while_held', property: /^S1/, plan: { promotions: 2 } },
  { bug: 'wake.lost_on_release', property: /^L4/, plan: { promotions: 2 } },
  { bug: 'fence.of_the_lock', property: /^S2/ },
  { bug: 'target.no_fence_check', property: /^S4/ },
  { bug: 'gate.error_passes', property: /^S7/, plan: { gates: 1 } },
  { bug: 'approval.own_request', property: /^S9/, plan: { gates: 2 } },
  { bug: 'skip.only_requested', property: /^S8/, plan: { gates: 1, skips: 1 } },
  { bug: 'skip.of_one_person', property: /^S8/, plan: { gates: 1, skips: 1 } },
  { bug: 'gate.expired_counts', property: /^S8/, plan: { gates: 1 } },
  { bug: 'gate.verdict_overwritten', property: /^S7/, plan: { gates: 1 } },
  { bug: 'skip.for_ever', property: /^S8/, plan: { gates: 1, skips: 1 } },
  { bug: 'verify.not_looked', property: /^S10/ },
  { bug: 'rollback.not_verified', property: /^S10/ },
];

describe('the search over all states', () => {
  for (const kind of ['contention', 'row'] as const) {
    it(`finds nothing wrong near the start of a ${kind}`, { timeout: TIMEOUT_MS }, () => {
      const report = search({ kind, crashes: 2, skips: 1, gates: 2, statesMax: STATES_MAX });
      expect(report.first).toBeNull();
      expect(report.states).toBeGreaterThanOrEqual(STATES_MAX);
      expect(report.transitions).toBeGreaterThan(report.states);
    });
  }

  it('goes the same way each time', { timeout: TIMEOUT_MS }, () => {
    const plan: SearchPlan = { kind: 'contention', crashes: 1, skips: 0, gates: 1, statesMax: 300 };
    const { seconds: _first, ...first } = search(plan);
    const { seconds: _second, ...second } = search(plan);
    expect(second).toEqual(first);
  });

  for (const { bug, property, plan } of WRONG) {
    it(`finds ${bug}, and the way there`, { timeout: TIMEOUT_MS }, () => {
      const small = { kind: 'contention', promotions: 1, crashes: 0, skips: 0, gates: 0, statesMax: 20_000 } as const;
      const report = search({ ...small, ...plan, planted: bug });
      expect(report.violations).toBe(1);
      expect(report.first?.broken).toMatch(property);
      expect(report.first?.moves[0]).toBe('start');
    });
  }
});
