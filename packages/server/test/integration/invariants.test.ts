/**
 * The predicates of the domain and the SQL of the server say the same: on a store that real commands and ticks filled, where
 * both find nothing, and on that store with one row corrupted. Each rule is found by a corruption of its own, so none of
 * them is silent.
 */
import { PROMOTION_RULES, STORE_RULES } from '@stella/domain';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMPONENT_CORRUPTIONS, CORRUPTIONS } from './corruptions.ts';
import { type CorruptibleStore, namesOf, openCorruptibleStore } from './invariants-fixture.ts';
import { describeMutation, listColumns, mutation, type Column } from './row-mutations.ts';

/** 60 take 20 s on an idle machine; `STELLA_INVARIANTS_RUNS` and `STELLA_INVARIANTS_SEED` run others, or more. */
const RUNS = Number(process.env['STELLA_INVARIANTS_RUNS'] ?? 60);
const SEED = Number(process.env['STELLA_INVARIANTS_SEED'] ?? 20_260_301);
const START_TIMEOUT_MS = 120_000;
const TIMEOUT_MS = 60_000 + RUNS * 1_000;

let store: CorruptibleStore;
let columns: readonly Column[];
beforeAll(async () => {
  store = await openCorruptibleStore();
  columns = await listColumns(store.database);
}, START_TIMEOUT_MS);
afterAll(() => store.close());

describe('a store with a past', () => {
  it('breaks no rule, in the words of either', async () => {
    const judged = await store.judge(null);
    const words = judged?.state.promotions.map(({ promotion: p }) => `${p.environment} ${p.status} ${p.step}`);
    expect(words?.sort()).toEqual([
      'bird completed verify',
      'dev completed verify',
      'dev completed verify',
      'dev in_progress precheck',
      'dev rejected evaluate_gates',
      'dev rolled_back rollback',
      'duo completed verify',
      'fleet completed verify',
      'lab completed verify',
      'lab in_progress acquire_locks',
      'lab in_progress deploy',
      'mix completed verify',
      'mix completed verify',
      'mix in_progress acquire_locks',
      'mix in_progress acquire_locks',
      'mix in_progress deploy',
      'mug completed verify',
      'pot completed verify',
      'prod completed verify',
      'prod pending_approval evaluate_gates',
      'prod rolled_back rollback',
    ]);
    expect(namesOf(judged?.predicates ?? [])).toEqual([]);
    expect(namesOf(judged?.sql ?? [])).toEqual([]);
  });
});

describe('a corrupted row', () => {
  it.each([...CORRUPTIONS, ...COMPONENT_CORRUPTIONS].map((one) => [one.rule, one] as const))(
    'breaks %s, and both see it',
    async (rule, one) => {
      const judged = await store.judge(one.sql);
      expect(namesOf(judged?.sql ?? [])).toEqual(namesOf(judged?.predicates ?? []));
      const rules = new Set((judged?.predicates ?? []).map((found) => found.rule));
      expect([...rules].sort()).toEqual([rule, ...(one.also ?? [])].sort());
    },
  );

  it('is there for every rule', () => {
    const rules = [...PROMOTION_RULES, ...STORE_RULES].map(({ name }) => name);
    expect(CORRUPTIONS.map(({ rule }) => rule).sort()).toEqual(rules.sort());
  });

  it(
    'is judged alike, whatever it is',
    async () => {
      const seen = new Set<string>();
      await fc.assert(
        fc.asyncProperty(mutation, async (wish) => {
          const sql = describeMutation(columns, wish);
          const judged = await store.judge(sql);
          fc.pre(judged !== null);
          for (const { rule } of judged.predicates) seen.add(rule);
          expect({ sql, rules: namesOf(judged.sql) }).toEqual({ sql, rules: namesOf(judged.predicates) });
        }),
        { numRuns: RUNS, seed: SEED },
      );
      // Mutations that nobody notices prove nothing.
      expect(seen.size).toBeGreaterThan(5);
    },
    TIMEOUT_MS,
  );
});
