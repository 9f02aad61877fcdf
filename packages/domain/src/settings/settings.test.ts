import { describe, expect, it } from 'vitest';
import { formatDuration } from '../values/duration.ts';
import { formatSetting, parseSetting, SETTING_KEYS, SETTINGS, STANDARD_SETTINGS, wordSetting } from './settings.ts';

const NUMBER_KEYS = SETTING_KEYS.filter((key) => SETTINGS[key].unit !== 'word');

describe('SETTINGS', () => {
  it.each(NUMBER_KEYS.map((key) => [key, SETTINGS[key]] as const))('%s has a sensible range', (key, entry) => {
    expect(entry.min).toBeLessThanOrEqual(entry.standard);
    expect(entry.standard).toBeLessThanOrEqual(entry.max);
    expect(STANDARD_SETTINGS[key]).toBe(entry.standard);
    const show = (value: number): string => (entry.unit === 'duration' ? formatDuration(value) : String(value));
    for (const value of [entry.min, entry.standard, entry.max]) expect(parseSetting(key, show(value))).toBe(value);
    for (const value of [entry.min - 1, entry.max + 1]) {
      expect(() => parseSetting(key, show(value))).toThrow(expect.objectContaining({ code: 'setting.invalid' }));
    }
  });
});

describe('parseSetting', () => {
  it.each(['', ' 5000', '5_000', '0x1000', '5e3', '5000.5', '-5000', 'many', '5s', '9'.repeat(30)])(
    'refuses %j as a count',
    (text) => {
      expect(() => parseSetting('limits.promotionEvents', text)).toThrow(
        expect.objectContaining({ code: 'setting.invalid' }),
      );
    },
  );

  it('says the range in the words in which the setting is written', () => {
    expect(() => parseSetting('stuck.after', '1h')).toThrow('"1h" is outside of 1s to 20m');
    expect(() => parseSetting('stuck.after', 'soon')).toThrow(/stuck\.after .*"soon" is not a duration/);
  });
});

describe('a setting that is a word', () => {
  it('is written and shown as its word, and read as one of them', () => {
    expect(STANDARD_SETTINGS['locks.mode']).toBe(0);
    for (const word of ['pessimistic', 'optimistic'] as const) {
      const value = parseSetting('locks.mode', word);
      expect(formatSetting('locks.mode', value)).toBe(word);
      expect(wordSetting({ ...STANDARD_SETTINGS, 'locks.mode': value }, 'locks.mode')).toBe(word);
    }
  });

  it('refuses any other text, with the allowed words and the nearest', () => {
    expect(() => parseSetting('locks.mode', 'optimstic')).toThrow(
      expect.objectContaining({
        code: 'setting.invalid',
        message: 'the setting locks.mode is invalid: "optimstic" is none of pessimistic, optimistic',
        hint: 'did you mean "optimistic"?',
      }),
    );
    for (const text of ['', '0', '1', 'Optimistic', 'none', ' optimistic']) {
      expect(() => parseSetting('locks.mode', text)).toThrow(expect.objectContaining({ code: 'setting.invalid' }));
    }
  });

  it('falls back to the default for a word of a newer version', () => {
    expect(wordSetting({ ...STANDARD_SETTINGS, 'locks.mode': 9 }, 'locks.mode')).toBe('pessimistic');
  });
});
