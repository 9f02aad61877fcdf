import { makeDefinition, makeHttpGate, makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { STANDARD_SETTINGS } from '../settings/settings.ts';
import {
  budgetWarnings,
  describeEnvironmentBudget,
  environmentBudgetOf,
  isBudgetSetting,
} from './environment-budget.ts';

const MINUTE_MS = 60_000;
const tests = makeHttpGate({ name: 'tests', timeoutMs: 2 * MINUTE_MS, retryCount: 2, backoffMs: 10_000 });
const ticket = makeHttpGate({ name: 'ticket', timeoutMs: 5 * MINUTE_MS, retryCount: 2, backoffMs: 10_000 });
const prod = makeDefinition({ name: 'prod', gates: [tests, ticket], deployDeadlineMs: 15 * MINUTE_MS });

describe('the time budget of an environment', () => {
  it('adds what comes one after another, and of gates only the longest', () => {
    const budget = environmentBudgetOf(prod, STANDARD_SETTINGS);
    expect(describeEnvironmentBudget(budget)).toBe(
      'precheck 10s + ticket (3 × 5m + 30s of pauses) + deploy 15m = 30m40s',
    );
    expect(budget.totalMs).toBe(10_000 + 930_000 + 900_000);
  });

  it('counts a look of the precheck for each round of targets and artifacts', () => {
    const targets = Array.from({ length: 200 }, (_, index) => makeTarget({ name: `web-${index}` }));
    const budget = environmentBudgetOf({ ...prod, gates: [], targets }, STANDARD_SETTINGS);
    expect(describeEnvironmentBudget(budget)).toBe('precheck (11 × 10s) + deploy 15m = 16m50s');
    const wider = environmentBudgetOf({ ...prod, targets }, { ...STANDARD_SETTINGS, 'limits.targetsAtOnce': 200 });
    expect(wider.precheckMs).toBe(20_000);
  });

  it('says which gates page by themselves, and when all of it breaks the objective', () => {
    expect(budgetWarnings(environmentBudgetOf(prod, STANDARD_SETTINGS))).toEqual([
      'ticket: 3 × 5m + 30s of pauses = 15m30s, over stuck.after 10m',
      'in all 30m40s, over the objective of 30m',
    ]);
    const shorter = { ...STANDARD_SETTINGS, 'environments.prod.gates.ticket.timeout': MINUTE_MS };
    expect(budgetWarnings(environmentBudgetOf(prod, shorter))).toEqual([]);
  });

  it.each([
    ['stuck.after', true],
    ['probe.timeout', true],
    ['limits.targetsAtOnce', true],
    ['gates.tests.retries', true],
    ['environments.prod.gates.tests.timeout', true],
    ['environments.dev.gates.tests.timeout', false],
    ['gates.other.timeout', false],
    ['locks.timeout', false],
  ] as const)('is touched by %s: %s', (key, isTouched) => {
    expect(isBudgetSetting(key, prod)).toBe(isTouched);
  });

  it('is of what deploys alone where no gate has attempts', () => {
    const budget = environmentBudgetOf({ ...prod, gates: [] }, STANDARD_SETTINGS);
    expect(describeEnvironmentBudget(budget)).toBe('precheck 10s + deploy 15m = 15m10s');
    expect(budgetWarnings(budget)).toEqual([]);
  });
});
