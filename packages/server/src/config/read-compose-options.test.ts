import { type ComposeTargetDefinition, isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { formatEnvironmentYaml } from './format-environment.ts';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const PINNED = `docker.io/library/redis@sha256:${'a'.repeat(64)}`;
const SMALLEST = { name: 'shop', kind: 'compose', components: { api: 'api' }, compose: { services: { api: {} } } };
const WHOLE = {
  ...SMALLEST,
  project: 'shop-prod',
  socket: '/run/docker.sock',
  stateDirectory: '/var/lib/stella/shop',
  components: { api: 'api', worker: 'jobs' },
  compose: {
    services: {
      api: {
        ports: ['8080:80'],
        environment: ['MODE=on', 'PRICE=5$$'],
        labels: { team: 'shop' },
        depends_on: ['cache'],
      },
      worker: null,
      cache: {
        image: PINNED,
        volumes: ['data:/data', '/etc/cache:/etc/cache:ro'],
        healthcheck: { test: ['CMD', 'ping'] },
      },
    },
    volumes: { data: null },
  },
  secretEnv: { cache: { PASSWORD: 'env:STELLA_SECRET_CACHE' }, api: { DB: 'file:/etc/stella/db' } },
  health: { kind: 'container', interval: '2s', deadline: '1m' },
};

function yamlOf(target: object, more: object = {}): string {
  return JSON.stringify({ kind: 'Environment', name: 'prod', targets: [target], ...more });
}

function read(text: string): ComposeTargetDefinition {
  const [environment] = parseEnvironmentDocuments(text, 'prod.yaml');
  const found = environment?.definition.targets[0];
  if (found?.kind !== 'compose') throw new Error('it is of kind compose');
  return found;
}

function refusalOf(target: object, more: object = {}): string {
  try {
    read(yamlOf(target, more));
    return 'accepted';
  } catch (error) {
    if (!isAppError(error)) throw error;
    return `${error.message} ${error.hint}`;
  }
}

const withServices = (services: object): object => ({ ...SMALLEST, compose: { services } });

describe('a target of kind compose', () => {
  it('needs a name, components and a Compose file, and has the usual for the rest', () => {
    expect(read(yamlOf(SMALLEST))).toEqual({ ...SMALLEST, project: 'shop', socket: null, health: null });
  });

  it('bug: may have a variable that objects have, too', () => {
    const services = { api: { environment: { constructor: 'x' } } };
    expect(refusalOf({ ...withServices(services), components: { api: 'api' } })).toBe('accepted');
  });

  it('is written out as it was read', () => {
    const first = parseEnvironmentDocuments(yamlOf(WHOLE), 'prod.yaml').map((one) => one.definition);
    const text = first.map((one) => formatEnvironmentYaml(one)).join('---\n');
    expect(parseEnvironmentDocuments(text, 'again.yaml').map((one) => one.definition)).toEqual(first);
    expect(text).toContain('project: shop-prod');
    const [target] = first.flatMap((one) => one.targets);
    expect(target).toMatchObject({ secretEnv: WHOLE.secretEnv });
  });

  it.each([
    ['a component without a service', { ...SMALLEST, components: { web: 'web' } }, 'no service "web"'],
    ['no component', { ...SMALLEST, components: {} }, 'at least one service'],
    ['a secret that is written', { ...SMALLEST, secretEnv: { api: { DB: 'hunter2' } } }, 'named, not written'],
    ['a secret of no service', { ...SMALLEST, secretEnv: { app: { DB: 'env:STELLA_SECRET_DB' } } }, 'app'],
    [
      'a secret that is a variable too',
      {
        ...SMALLEST,
        compose: { services: { api: { environment: { DB: 'x' } } } },
        secretEnv: { api: { DB: 'env:STELLA_SECRET_DB' } },
      },
      'secretEnv: "DB" is in the environment of service "api" too',
    ],
    ['a component key as other kinds have it', { ...SMALLEST, component: 'api' }, 'component'],
    [
      'an image of a component',
      withServices({ api: { image: PINNED } }),
      'service "api": its image is that of component',
    ],
    [
      'an image that is not pinned',
      withServices({ api: {}, cache: { image: 'docker.io/redis:7' } }),
      'service "cache": it is no',
    ],
    [
      'an image of no registry',
      withServices({ api: {}, c: { image: PINNED.slice(10) } }),
      'service "c": it is no component',
    ],
    ['a build', withServices({ api: { build: '.' } }), 'service "api": the key "build" is not taken'],
    [
      'a key that is that of every object',
      { ...SMALLEST, compose: JSON.parse('{"services": {"api": {}}, "__proto__": {"volumes": {}}}') as object },
      '"__proto__" is none of',
    ],
    ['a key that is mistyped', withServices({ api: { port: ['80'] } }), 'did you mean "ports"'],
    ['files of the host', withServices({ api: { env_file: '.env' } }), '"env_file" is not taken'],
    [
      'a relative directory',
      withServices({ api: { volumes: ['./data:/data'] } }),
      'the volume "./data:/data" has no absolute',
    ],
    [
      'a variable of the host',
      withServices({ api: { command: ['run', '${MODE}'] } }),
      'services.api.command has a variable',
    ],
    [
      'a variable without a value',
      withServices({ api: { environment: ['MODE'] } }),
      'the variable "MODE" has no value',
    ],
    ['a label that is ours', withServices({ api: { labels: ['dev.stella.digest=x'] } }), 'is set by Stella'],
    [
      'another part of Compose',
      { ...SMALLEST, compose: { services: { api: {} }, secrets: {} } },
      '"secrets" is none of',
    ],
    ['a project of capitals', { ...SMALLEST, project: 'Shop' }, 'is not the name of a project'],
    ['a text for the file', { ...SMALLEST, compose: 'services: {}' }, 'expected a mapping'],
    [
      'too long a file',
      withServices({ api: { command: Array.from({ length: 9_000 }, () => 'word123') } }),
      'at most 65536 characters',
    ],
  ])('refuses %s', (_what, target, message) => {
    expect(refusalOf(target)).toContain(message);
  });

  it('refuses several components where each is promoted for itself', () => {
    const concurrency = { concurrency: 'per_component' };
    expect(refusalOf(WHOLE, concurrency)).toContain('"api" and "jobs" change together');
    expect(refusalOf(SMALLEST, concurrency)).toBe('accepted');
  });

  it('refuses two targets with one project on one engine', () => {
    const other = { ...SMALLEST, name: 'other', project: 'shop' };
    expect(refusalOf(SMALLEST, { targets: [SMALLEST, other] })).toContain('project: "shop" overlaps');
  });

  it('ends for a mapping that holds itself', () => {
    const text =
      'kind: Environment\nname: prod\ntargets:\n- name: shop\n  kind: compose\n  components: {api: api}\n  compose: &a\n    services: *a\n';
    expect(() => read(text)).toThrow('30 levels deep');
  });
});
