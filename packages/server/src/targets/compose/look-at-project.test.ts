/** What is seen of a project on an engine in memory, whatever its labels claim. */
import type { ComposeTargetDefinition, Digest } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { makeMemoryDockerHost, type MemoryDockerHost } from '../../../test/contract/memory-docker-engine.ts';
import { nodeClock } from '../../system/node-clock.ts';
import { withinCall } from '../call-scope.ts';
import type { Health } from '../health-check.ts';
import { checkOwnProject, checkProjectHealth, lookAtProject, type SeenProject } from './look-at-project.ts';

const REPOSITORY = 'registry.example:5000/shop/any';
const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

const DEFINITION: ComposeTargetDefinition = {
  kind: 'compose',
  name: 'shop',
  components: { api: 'api', worker: 'jobs', nightly: 'jobs' },
  project: 'shop',
  socket: null,
  compose: { services: { api: {}, worker: {}, nightly: {}, cache: { image: `${REPOSITORY}@${digest('c')}` } } },
  health: null,
};
const PLACE = { environment: 'prod', definition: DEFINITION };

interface Made {
  readonly service: string;
  readonly letter: string;
  /** Of its label; that of the image when absent. */
  readonly says?: string;
  readonly target?: string;
  readonly isStopped?: boolean;
}

/** Every service as it should be, but for `changes`. */
async function hostWith(...changes: readonly Made[]): Promise<MemoryDockerHost> {
  const host = makeMemoryDockerHost();
  for (const letter of ['a', 'b', 'c', 'd']) host.registry.push({ repository: REPOSITORY, digest: digest(letter) });
  host.registry.push({ repository: REPOSITORY, digest: digest('e'), health: 'healthy' });
  host.registry.push({ repository: REPOSITORY, digest: digest('f'), health: 'unhealthy' });
  const usual = { api: 'a', worker: 'b', nightly: 'b', cache: 'c' };
  const made: readonly Made[] = Object.entries(usual)
    .filter(([service]) => !changes.some((one) => one.service === service))
    .map(([service, letter]) => ({ service, letter }));
  const engine = host.open();
  for (const { service, letter, says = letter, target = 'shop', isStopped = false } of [...made, ...changes]) {
    await engine.pull(REPOSITORY, digest(letter), null);
    const id = await engine.create(`shop_${service}_1`, {
      Image: `${REPOSITORY}@${digest(letter)}`,
      Labels: {
        'com.docker.compose.project': 'shop',
        'com.docker.compose.service': service,
        'dev.stella.environment': 'prod',
        'dev.stella.target': target,
        'dev.stella.digest': digest(says),
      },
    });
    if (!isStopped) await engine.start(id);
  }
  return host;
}

const look = (host: MemoryDockerHost): Promise<SeenProject> => lookAtProject(host.open(), PLACE);

async function healthOf(host: MemoryDockerHost, health: ComposeTargetDefinition['health']): Promise<Health> {
  const call = { signal: new AbortController().signal, timeoutMs: 10_000 };
  return withinCall<Health>(
    { call, clock: nodeClock, target: 'shop' },
    (error) => ({ isHealthy: false, message: String(error) }),
    async (scope) => {
      const definition = { ...DEFINITION, health };
      return checkProjectHealth(host.open(), await look(host), { definition, clock: nodeClock }, scope);
    },
  );
}

describe('what runs of a project', () => {
  it('is every component once, when each of its services runs it', async () => {
    const seen = await look(await hostWith());
    expect(seen.parts).toEqual([
      { name: 'api', digest: digest('a') },
      { name: 'jobs', digest: digest('b') },
    ]);
    expect(seen.message).toBe('');
    expect(seen.containers).toHaveLength(4);
  });

  it.each<[string, Made, string]>([
    [
      'another image than its label says',
      { service: 'api', letter: 'd', says: 'a' },
      `api runs ${digest('d')} instead of`,
    ],
    [
      'another image than is pinned',
      { service: 'cache', letter: 'd' },
      `cache runs ${digest('d')} instead of ${digest('c')}`,
    ],
    [
      'one of two versions',
      { service: 'nightly', letter: 'd' },
      `component jobs runs as ${digest('b')} and ${digest('d')}`,
    ],
    [
      'a container of somebody else',
      { service: 'api', letter: 'a', target: 'x' },
      'in a container that Stella did not make',
    ],
  ])('is not whole with %s, and the service is named', async (_what, change, words) => {
    const seen = await look(await hostWith(change));
    expect(seen.parts).toBeNull();
    expect(seen.message).toContain(words);
  });

  it('is whole and not well when a service stands still, or a stranger runs beside', async () => {
    const stopped = await look(await hostWith({ service: 'worker', letter: 'b', isStopped: true }));
    expect(stopped.parts).not.toBeNull();
    expect(stopped.message).toContain('service worker: container shop_worker_1');
    const beside = await look(await hostWith({ service: 'old', letter: 'd' }));
    expect(beside.parts).not.toBeNull();
    expect(beside.message).toContain('of service old runs beside');
  });

  it('is nothing where nothing was deployed', async () => {
    const seen = await look(makeMemoryDockerHost());
    expect(seen.parts).toBeNull();
    expect(seen.message).toContain('service api has no container');
  });

  it('is not told when it has more containers than are looked at', async () => {
    const engine = {
      ...makeMemoryDockerHost().open(),
      list: () => Promise.resolve(Array.from({ length: 201 }, String)),
    };
    await expect(lookAtProject(engine, PLACE)).rejects.toMatchObject({
      code: 'target.engine_refused',
      message: expect.stringContaining('has 201 containers') as string,
    });
  });

  it('is left alone when it is of somebody else', async () => {
    const host = await hostWith({ service: 'api', letter: 'a', target: 'other' });
    await expect(checkOwnProject(host.open(), PLACE)).rejects.toMatchObject({ code: 'target.in_the_way' });
    await expect(checkOwnProject((await hostWith()).open(), PLACE)).resolves.toBeUndefined();
  });
});

describe('the health of a project', () => {
  const check = { kind: 'container', intervalMs: 10, deadlineMs: 1_000 } as const;

  it('is that of the containers that have a health check, and of the others that they stay up', async () => {
    const well = { service: 'worker', letter: 'e' };
    expect(await healthOf(await hostWith(well), check)).toEqual({ isHealthy: true, message: '' });
    expect(await healthOf(await hostWith(), null)).toEqual({ isHealthy: true, message: '' });
  });

  it('names the service that is not well', async () => {
    const ill = await healthOf(await hostWith({ service: 'worker', letter: 'f' }), check);
    expect(ill.isHealthy).toBe(false);
    expect(ill.message).toContain('service worker: container shop_worker_1 says that it is unhealthy');
  });

  it('cannot be asked where no container has a health check', async () => {
    expect((await healthOf(await hostWith(), check)).message).toContain('no service has a health check');
  });
});
