import { makeHttpGate, makeSoakGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { partsOfGateKey, withGateSettings } from './gate-settings.ts';
import { parseSetting, settingKeyOf, STANDARD_SETTINGS } from './settings.ts';

describe('partsOfGateKey', () => {
  it('takes a key apart, or says that it is none', () => {
    expect(partsOfGateKey('gates.tests.timeout')).toEqual({ environment: null, gate: 'tests', setting: 'timeout' });
    expect(partsOfGateKey('environments.prod.gates.tests.retries')).toEqual({
      environment: 'prod',
      gate: 'tests',
      setting: 'retries',
    });
    for (const text of [
      'gates.holdFor',
      'gates.tests.url',
      'gates..timeout',
      'gates.A.timeout',
      'environments.prod.x',
    ]) {
      expect(partsOfGateKey(text)).toBeNull();
    }
  });
});

describe('a setting of a gate', () => {
  it('has the range of the definition', () => {
    const key = settingKeyOf('gates.tests.retries');
    expect(parseSetting(key, '10')).toBe(10);
    expect(() => parseSetting(key, '11')).toThrow('"11" is outside of 0 to 10');
    expect(() => parseSetting(settingKeyOf('gates.tests.timeout'), '2h')).toThrow('"2h" is outside of 10ms to 1h');
  });

  it('beats the definition; that of one environment beats that of all', () => {
    const gate = makeHttpGate({ name: 'tests', timeoutMs: 1_000, retryCount: 1, backoffMs: 5 });
    const settings = {
      ...STANDARD_SETTINGS,
      'gates.tests.timeout': 2_000,
      'gates.tests.retries': 0,
      'environments.prod.gates.tests.timeout': 3_000,
    };
    expect(withGateSettings(gate, 'prod', settings)).toMatchObject({ timeoutMs: 3_000, retryCount: 0, backoffMs: 5 });
    expect(withGateSettings(gate, 'dev', settings)).toMatchObject({ timeoutMs: 2_000, retryCount: 0, backoffMs: 5 });
    expect(withGateSettings({ ...gate, name: 'other' }, 'prod', settings)).toMatchObject({ timeoutMs: 1_000 });
    const soak = makeSoakGate({ name: 'tests' });
    expect(withGateSettings(soak, 'prod', settings)).toBe(soak);
  });
});
