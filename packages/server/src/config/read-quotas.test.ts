import { isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { formatEnvironmentYaml } from './format-environment.ts';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const documentOf = (...lines: readonly string[]): string =>
  [
    'kind: Environment',
    'name: prod',
    'targets: [{ name: web, kind: files, component: web, directory: /srv }]',
    ...lines,
  ].join('\n');

function read(text: string) {
  return parseEnvironmentDocuments(text, 'prod.yaml')[0]?.definition;
}

function refusalOf(text: string): string {
  try {
    read(text);
    return 'accepted';
  } catch (error) {
    if (!isAppError(error)) throw error;
    return error.message;
  }
}

describe('quotas', () => {
  it('are absent, or limits in a zone, and are written back as they were read', () => {
    expect(read(documentOf())?.quotas).toBeUndefined();
    const limited = read(documentOf('quotas: { perDay: 20, perHour: 5, timeZone: Europe/Vienna }'));
    expect(limited?.quotas).toEqual({ perHour: 5, perDay: 20, timeZone: 'Europe/Vienna' });
    expect(read(documentOf('quotas: { perDay: 20 }'))?.quotas).toEqual({ perDay: 20, timeZone: 'UTC' });
    const many = read(documentOf('concurrency: per_component', 'quotas: { inProgress: 2 }'));
    for (const definition of [limited, many]) {
      if (!definition) throw new Error('it was read');
      expect(read(formatEnvironmentYaml(definition))).toEqual(definition);
    }
  });

  it.each([
    ['quotas: { perDay: 0 }', 'perDay: expected a whole number from 1 to 10000'],
    ['quotas: { perDay: 10001 }', 'perDay: expected a whole number from 1 to 10000'],
    ['quotas: { timeZone: UTC }', 'expected at least one of perHour, perDay, inProgress'],
    ['quotas: { perDay: 2, timeZone: Europe/Wien }', 'is not a time zone of the IANA list'],
    ['quotas: { perDay: 2, perWeek: 2 }', 'perWeek'],
    ['quotas: { inProgress: 2 }', 'one promotion at a time changes this environment'],
  ])('refuse %s', (line, words) => {
    expect(refusalOf(documentOf(line))).toContain(words);
  });
});
