import { definitionHash, type EnvironmentDefinition, isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { formatEnvironmentYaml } from './format-environment.ts';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const FILES = { name: 'web', kind: 'files', component: 'web', directory: '/srv/web' };
const TARGETS = {
  files: FILES,
  command: { name: 'web', kind: 'command', component: 'web', deploy: ['/opt/deploy'], observe: ['/opt/running'] },
  docker: { name: 'web', kind: 'docker', component: 'web' },
  compose: { name: 'web', kind: 'compose', components: { web: 'web' }, compose: { services: { web: {} } } },
};
const HEALTH = { kind: 'command', command: ['/opt/web/health'] };
const TIMING = { timeoutMs: 5_000, intervalMs: 1_000, threshold: 2, deadlineMs: 60_000 };

function read(target: object): EnvironmentDefinition {
  // JSON is YAML.
  const [environment] = parseEnvironmentDocuments(
    JSON.stringify({ kind: 'Environment', name: 'prod', targets: [target] }),
    'prod.yaml',
  );
  if (!environment) throw new Error('there is one');
  return environment.definition;
}

function refusalOf(health: object): string {
  try {
    read({ ...FILES, health });
    return 'accepted';
  } catch (error) {
    if (!isAppError(error)) throw error;
    return `${error.message} ${error.hint}`;
  }
}

describe('a health check of kind command', () => {
  it.each(Object.entries(TARGETS))(
    'may be that of a target of kind %s, and is written out as it was read',
    (_kind, target) => {
      const definition = read({ ...target, health: HEALTH });
      expect(definition.targets[0]?.health).toEqual({ ...HEALTH, ...TIMING });
      const text = formatEnvironmentYaml(definition);
      expect(text).toContain('kind: command\n      command:\n        - /opt/web/health\n      timeout: 5s\n');
      expect(parseEnvironmentDocuments(text, 'again.yaml').map((one) => one.definition)).toEqual([definition]);
    },
  );

  it('is part of the definition that a promotion is bound to', () => {
    const hashOf = (health: object): string => definitionHash(read({ ...FILES, health }));
    expect(hashOf({ ...HEALTH, command: ['/opt/web/health', '--deep'] })).not.toBe(hashOf(HEALTH));
    expect(hashOf({ ...HEALTH, timeout: '5s' })).toBe(hashOf(HEALTH));
  });

  it.each<[string, object, string]>([
    ['no program', {}, '"command"'],
    ['an empty list', { command: [] }, 'command'],
    ['a line for a shell', { command: '/opt/web/health --deep' }, 'command'],
    ['a program that is searched for', { command: ['health'] }, 'is not an absolute path'],
    ['more arguments than are taken', { command: ['/opt/health', ...Array.from({ length: 50 }, String)] }, '50'],
    ['a key of http', { ...HEALTH, url: 'http://127.0.0.1/' }, 'health checks of kind http have it'],
    ['an end too early', { ...HEALTH, interval: '5s', threshold: 3, deadline: '10s' }, 'over before threshold'],
  ])('is refused with %s', (_what, more, words) => {
    expect(refusalOf({ kind: 'command', ...more })).toContain(words);
  });

  it('is what a program in a check of another kind is meant for', () => {
    expect(refusalOf({ url: 'http://127.0.0.1/', command: ['/opt/web/health'] })).toContain(
      'health checks of kind command have it',
    );
  });
});
