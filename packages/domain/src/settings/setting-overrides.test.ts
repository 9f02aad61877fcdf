import { makeDefinition, makeHttpGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { describeOverride, overridesOf } from './setting-overrides.ts';
import { STANDARD_SETTINGS } from './settings.ts';

const prod = makeDefinition({
  name: 'prod',
  gates: [makeHttpGate({ name: 'tests', timeoutMs: 120_000, retryCount: 2, backoffMs: 10_000 })],
});

describe('overridesOf', () => {
  it('names the setting that counts, the one of the environment before the one of all', () => {
    const found = overridesOf(prod, {
      ...STANDARD_SETTINGS,
      'gates.tests.timeout': 60_000,
      'environments.prod.gates.tests.timeout': 300_000,
      'gates.tests.retries': 5,
    });
    expect(found.map(describeOverride)).toEqual([
      'the setting environments.prod.gates.tests.timeout = 5m beats the 2m of this definition',
      'the setting gates.tests.retries = 5 beats the 2 of this definition',
    ]);
  });

  it('names none that says the same, or is of another gate or environment', () => {
    const settings = {
      ...STANDARD_SETTINGS,
      'gates.tests.timeout': 120_000,
      'gates.other.timeout': 1_000,
      'environments.dev.gates.tests.retries': 9,
    };
    expect(overridesOf(prod, settings)).toEqual([]);
  });
});
