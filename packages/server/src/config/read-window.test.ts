import { isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const documentOf = (lines: readonly string[]): string =>
  [
    'kind: Environment',
    'name: prod',
    'targets: [{ name: web, kind: files, component: web, directory: /srv }]',
    ...lines,
  ].join('\n');
const windowOf = (...keys: readonly string[]): string =>
  documentOf(['gates:', '  - name: hours', '    kind: window', ...keys.map((key) => `    ${key}`)]);
const freezeOf = (...keys: readonly string[]): string =>
  documentOf(['freezes:', ...keys.map((key, index) => `  ${index === 0 ? '-' : ' '} ${key}`)]);

function refusalOf(text: string): { line: unknown; message: string } {
  try {
    parseEnvironmentDocuments(text, 'prod.yaml');
    return { line: null, message: 'accepted' };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { line: error.details['line'], message: error.message };
  }
}

describe('a window', () => {
  it('needs nothing: then only freezes close it', () => {
    expect(parseEnvironmentDocuments(windowOf(), 'x.yaml')[0]?.definition.gates).toEqual([
      { kind: 'window', name: 'hours', zone: 'UTC', allow: [], validForMs: 86_400_000, deadlineMs: 7 * 86_400_000 },
    ]);
  });

  it('takes days in any order, and all of them where none is named', () => {
    const text = windowOf('allow: [{ days: [fri, mon], from: 22:00, to: 06:00 }, { from: 00:00, to: 24:00 }]');
    expect(parseEnvironmentDocuments(text, 'x.yaml')[0]?.definition.gates[0]).toMatchObject({
      allow: [
        { days: ['mon', 'fri'], from: '22:00', to: '06:00' },
        { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '00:00', to: '24:00' },
      ],
    });
  });

  it.each([
    ['an unknown zone', ['zone: Europe/Berlinn'], 7, 'did you mean "Europe/Berlin"?'],
    ['an offset', ['zone: "+01:00"'], 7, 'is not a time zone of the IANA list'],
    ['an unknown day', ['allow: [{ days: [monday], from: 09:00, to: 10:00 }]'], 7, '"monday" is not a day'],
    ['no day', ['allow: [{ days: [], from: 09:00, to: 10:00 }]'], 7, 'name at least one day'],
    ['a short time', ['allow: [{ from: "9:00", to: 10:00 }]'], 7, '"9:00" is not a time of day'],
    ['an hour that is none', ['allow: [{ from: 24:00, to: 10:00 }]'], 7, '"24:00" is not a time of day'],
    ['no time between', ['allow: [{ from: 10:00, to: 10:00 }]'], 7, 'a whole day is 00:00 to 24:00'],
    ['a mistyped key', ['allow: [{ from: 10:00, too: 11:00 }]'], 7, 'unknown key "too"'],
    ['a key of another kind', ['timeout: 1m'], 7, 'unknown key "timeout"'],
  ])('refuses %s', (_name, keys, line, words) => {
    const refusal = refusalOf(windowOf(...keys));
    expect(refusal.line).toBe(line);
    expect(refusal.message).toContain(words);
  });

  it('alone may have the name that a freeze gives its gate', () => {
    const named = (kind: string): string =>
      documentOf([
        'gates:',
        '  - name: freeze',
        `    kind: ${kind}`,
        ...(kind === 'http' ? ['    url: http://a/'] : []),
      ]);
    expect(refusalOf(named('http'))).toMatchObject({ line: 5 });
    expect(refusalOf(named('window')).message).toBe('accepted');
  });
});

describe('a planned freeze', () => {
  it.each([
    ['no reason', ['from: 2026-12-20T18:00', 'to: 2026-12-21T18:00'], 5, 'the key "reason" is missing'],
    [
      'a day that is none',
      ['from: 2026-02-30T18:00', 'to: 2026-12-21T18:00', 'reason: x'],
      5,
      'is not a date and time',
    ],
    ['a date alone', ['from: 2026-12-20', 'to: 2026-12-21T18:00', 'reason: x'], 5, 'is not a date and time'],
    ['an end before its beginning', ['from: 2026-12-20T18:00', 'to: 2026-12-20T17:59', 'reason: x'], 6, 'is not after'],
    ['a mistyped key', ['from: 2026-12-20T18:00', 'to: 2026-12-21T18:00', 'raeson: x'], 7, 'unknown key "raeson"'],
  ])('refuses %s', (_name, keys, line, words) => {
    const refusal = refusalOf(freezeOf(...keys));
    expect(refusal.line).toBe(line);
    expect(refusal.message).toContain(words);
  });
});
