import { type DockerTargetDefinition, isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { formatEnvironmentYaml } from './format-environment.ts';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const SMALLEST = { name: 'api', kind: 'docker', component: 'api' };
const WHOLE = {
  ...SMALLEST,
  container: 'shop-api',
  socket: '/run/docker.sock',
  command: ['serve', '-v', '-v'],
  env: { PORT: '8080' },
  secretEnv: { DB: 'env:STELLA_SECRET_DB' },
  ports: ['8080:80', '127.0.0.1:8081:81', '[::1]:53:53/udp', '9000', '127.0.0.1::82'],
  volumes: ['data:/var/lib/data', '/etc/shop:/etc/shop:ro'],
  network: 'shop',
  restart: 'always',
  stopTimeout: '30s',
  order: 'stop_first',
  health: { kind: 'container', interval: '2s', deadline: '1m' },
};

function read(target: object): DockerTargetDefinition {
  const text = JSON.stringify({ kind: 'Environment', name: 'prod', targets: [target] });
  const [environment] = parseEnvironmentDocuments(text, 'prod.yaml');
  const found = environment?.definition.targets[0];
  if (found?.kind !== 'docker') throw new Error('it is of kind docker');
  return found;
}

function refusalOf(more: object): string {
  try {
    read({ ...SMALLEST, ...more });
    return 'accepted';
  } catch (error) {
    if (!isAppError(error)) throw error;
    return `${error.message} ${error.hint}`;
  }
}

describe('a target of kind docker', () => {
  it('needs a name and a component, and has the usual for the rest', () => {
    expect(read(SMALLEST)).toEqual({
      ...SMALLEST,
      health: null,
      container: 'api',
      socket: null,
      command: null,
      env: {},
      secretEnv: {},
      ports: [],
      volumes: [],
      network: null,
      restart: 'unless-stopped',
      stopTimeoutMs: 10_000,
      order: 'stop_first',
    });
  });

  it('is written back as it was read', () => {
    const whole = read(WHOLE);
    expect(whole.command).toEqual(['serve', '-v', '-v']);
    expect(whole.ports[2]).toEqual({ address: '::1', hostPort: 53, containerPort: 53, protocol: 'udp' });
    const environment = parseEnvironmentDocuments(
      JSON.stringify({ kind: 'Environment', name: 'prod', targets: [WHOLE] }),
      'prod.yaml',
    )[0]?.definition;
    if (!environment) throw new Error('it was read');
    const again = parseEnvironmentDocuments(formatEnvironmentYaml(environment), 'prod.yaml')[0]?.definition;
    expect(again).toEqual(environment);
  });

  it.each([
    [{ ports: ['0:80'] }, 'is not a port'],
    [{ ports: ['80/sctp'] }, 'is not a port'],
    [{ ports: ['host:80:80'] }, 'is not a port'],
    [{ volumes: ['data'] }, 'is not a volume'],
    [{ volumes: ['data:/x:rx'] }, 'is not a volume'],
    [{ volumes: ['../x:/x'] }, 'is not a name'],
    [{ container: '-api' }, 'is not a name'],
    [{ env: { 'A B': 'x' } }, 'is not the name of a variable'],
    [{ secretEnv: { DB: 'hunter2' } }, 'a secret is named, not written'],
    [{ env: { DB: 'x' }, secretEnv: { DB: 'env:STELLA_SECRET_DB' } }, 'is in secretEnv too'],
    [{ order: 'start_first', ports: ['8080:80'] }, 'use stop_first'],
    [{ socket: 'docker.sock' }, 'is not an absolute path'],
    [{ directory: '/srv/x' }, 'targets of kind files have it'],
    [{ privileged: 'true' }, 'unknown key'],
  ])('refuses %j', (more, says) => {
    expect(refusalOf(more)).toContain(says);
  });

  it('is the only kind whose health may be that of a container', () => {
    const files = {
      name: 'web',
      kind: 'files',
      component: 'web',
      directory: '/srv/web',
      health: { kind: 'container' },
    };
    expect(() => read(files)).toThrow('only containers');
  });
});
