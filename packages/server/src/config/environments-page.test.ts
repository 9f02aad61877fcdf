import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GATE_KINDS, HEALTH_KINDS, TARGET_KINDS } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { formatEnvironmentYaml } from './format-environment.ts';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../../docs/environments.md'), 'utf8');

/** One of each kind, with only the keys that are required: all else is a default. */
const BARE = `
kind: Environment
name: prod
promotesFrom: [staging]
gates:
  - { name: tests, kind: http, url: 'http://127.0.0.1:1/' }
  - { name: slow, kind: http, mode: poll, url: 'http://127.0.0.1:1/' }
  - { name: scan, kind: http, mode: callback, secret: 'env:STELLA_SECRET_X', url: 'http://127.0.0.1:1/' }
  - { name: policy, kind: command, program: /opt/policy }
  - { name: board, kind: approval }
  - { name: soak, kind: soak, duration: 1h }
  - { name: needs, kind: dependency, requires: [{ environment: staging }] }
  - { name: hours, kind: window, allow: [{ from: '09:00', to: '10:00' }] }
quotas: { perDay: 20 }
freezes: [{ from: 2026-12-20T18:00, to: 2026-12-21T18:00, reason: x }]
targets:
  - { name: web, kind: files, component: web, directory: /srv, health: { url: 'http://127.0.0.1:1/' } }
  - { name: worker, kind: command, component: web, deploy: [/bin/a], observe: [/bin/b], host: { ssh: { address: a, user: u, key: 'file:/k', hostKey: 'SHA256:${'a'.repeat(43)}' } } }
  - { name: cart, kind: compose, components: { web: web }, compose: { services: { web: {} } } }
  - { name: mail, kind: docker, component: web, health: { kind: container } }
`;

/** Parsed and written out with every value in force. */
function inForce(yaml: string): string {
  const [document] = parseEnvironmentDocuments(yaml, 'docs/environments.md');
  return document ? formatEnvironmentYaml(document.definition) : '';
}

function exampleOf(name: string): string {
  return new RegExp(`<!-- example: ${name} -->\n\`\`\`yaml\n([^\`]*)\`\`\``).exec(PAGE)?.[1] ?? '';
}

/** What is free to be named: services, variables, and what a Compose file holds. */
const FREE = /^( +)(components|compose|env|secretEnv):\n(?:\1 +.*\n)+/gm;

function keysOf(yaml: string): readonly string[] {
  return [...yaml.replace(FREE, '$1$2:\n').matchAll(/^[ -]*([A-Za-z]+):/gm)].map(([, key = '']) => key);
}

/** Key, type and default of each row of each table. */
const rows = [...PAGE.matchAll(/^\| `([A-Za-z]+)` \| ([^|]+) \| ([^|]+) \|/gm)].map(
  ([, key = '', type = '', standard = '']) => ({ key, type, standard: standard.trim() }),
);

describe('docs/environments.md', () => {
  it('shows one environment with every key, as it is written out', () => {
    const whole = exampleOf('whole');
    expect(inForce(whole)).toBe(whole);
    const lines = whole.split('\n').map((line) => line.trim().replace('- ', ''));
    expect(lines).toEqual(expect.arrayContaining([...GATE_KINDS, ...TARGET_KINDS].map((kind) => `kind: ${kind}`)));
    const checks = parseEnvironmentDocuments(whole, 'docs/environments.md')
      .flatMap(({ definition }) => definition.targets)
      .flatMap(({ health }) => (health === null ? [] : [health.kind ?? 'http']));
    expect(new Set(checks)).toEqual(new Set(HEALTH_KINDS));
    // Keys of the bare one with all defaults are all keys but these, which stand for something only when given.
    expect(new Set(keysOf(whole).filter((key) => key !== 'x'))).toEqual(
      new Set([
        ...keysOf(inForce(BARE)),
        'headers',
        'sla',
        'probe',
        'args',
        'directory',
        'group',
        'component',
        'host',
        'ssh',
        'address',
        'port',
        'user',
        'key',
        'hostKey',
        'knownHosts',
        'deploy',
        'rollback',
        'observe',
        'stateDirectory',
        'socket',
        'command',
        'env',
        'secretEnv',
        'ports',
        'volumes',
        'network',
        'release',
        'perHour',
        'inProgress',
        'strategy',
        'maxUnavailable',
        'address',
        'port',
      ]),
    );
  });

  it('shows a shortest one that is accepted', () => {
    expect(inForce(exampleOf('shortest'))).toContain('name: dev\n');
  });

  it('shows a project of Compose that is accepted', () => {
    expect(inForce(exampleOf('compose'))).toContain('project: shop-1\n');
  });

  it('shows a canary that is accepted', () => {
    expect(inForce(exampleOf('canary'))).toContain('max: 0.01\n');
  });

  it('has a row for each key', () => {
    const described = new Set(rows.map((row) => row.key));
    expect(keysOf(exampleOf('whole')).filter((key) => key !== 'x' && !described.has(key))).toEqual([]);
  });

  it('gives the defaults that are in force', () => {
    const lines = new Set(
      inForce(BARE)
        .split('\n')
        .map((line) => line.trim()),
    );
    const scalars = rows.flatMap(({ key, standard }) => {
      const value = /^`([^`]+)`$/.exec(standard)?.[1];
      return value === undefined ? [] : [`${key}: ${value}`];
    });
    expect(scalars.length).toBeGreaterThan(12);
    expect(scalars.filter((line) => !lines.has(line))).toEqual([]);
  });

  it.each([
    ['validFor', '90d', '91d'],
    ['timeout', '1h', '61m'],
    ['timeout', '10ms', '9ms'],
    ['retries', '10', '11'],
    ['backoff', '1h', '61m'],
  ])('gives limits of http gates that hold: %s takes %s and not %s', (key, last, beyond) => {
    const gate = (value: string): string => BARE.replace('kind: http,', `kind: http, ${key}: ${value},`);
    const limits = new RegExp(`^\\| \`${key}\` \\|.*$`, 'm').exec(PAGE)?.[0];
    expect(limits).toContain(last);
    expect(inForce(gate(last))).toContain(`${key}: ${last}\n`);
    expect(() => inForce(gate(beyond))).toThrow(key);
  });
});
