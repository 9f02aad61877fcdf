/** One operation on an engine in memory: its switch, what its failures leave, and what the next one makes of a crash. */
import type { Digest, DockerTargetDefinition, ReleaseComponent } from '@stella/domain';
import { makeDockerTarget } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  makeMemoryDockerHost,
  memoryImageId,
  type MemoryDockerHost,
  type MemoryImage,
} from '../../../test/contract/memory-docker-engine.ts';
import { type DockerEngine, EngineFailure } from '../../ports/docker-engine.ts';
import type { ArtifactDocument } from '../../ports/registry.ts';
import { nodeClock } from '../../system/node-clock.ts';
import { type CallScope, withinCall } from '../call-scope.ts';
import { lookAtContainer } from './observe-container.ts';
import { lookUp, operate, type OperateDeps, type Operation } from './operate.ts';

const REPOSITORY = 'registry.example:5000/shop/api';
const PLACE = { environment: 'prod', target: 'api', container: 'api' };

const digestOf = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

const componentOf = (letter: string): ReleaseComponent => ({
  name: 'api',
  source: { kind: 'registry', registry: 'registry.example:5000', repository: 'shop/api' },
  digest: digestOf(letter),
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  tag: letter,
});

const DEFINITION = makeDockerTarget({ name: 'api', component: 'api', env: { PORT: '8080' } });

/** The registry as we see it ourselves: each artifact one manifest, whose configuration is the engine's image. */
const DEPS: OperateDeps = {
  clock: nodeClock,
  secrets: {
    read: () => Promise.resolve({ isThere: false, message: 'there is none' }),
    readCertificates: () => Promise.resolve({ isThere: false, message: 'there is none' }),
    readPrivateKey: () => Promise.resolve({ isThere: false, message: 'there is none' }),
    readPassword: (reference) =>
      Promise.resolve(
        reference === 'env:STELLA_SECRET_DB'
          ? { isThere: true, password: 'hunter2' }
          : { isThere: false, message: 'there is none' },
      ),
  },
  registry: {
    resolve: () => Promise.reject(new Error('not asked for')),
    readBlob: () => {
      throw new Error('not asked for');
    },
    readDocument: (_source, digest) =>
      Promise.resolve<ArtifactDocument>({
        kind: 'manifest',
        digest,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'c', digest: memoryImageId(digest) as Digest, sizeBytes: 1 },
        layers: [],
      }),
  },
  loginOf: () => Promise.resolve({ username: 'ana', password: 'secret' }),
  pickManifestFor: () => {
    throw new Error('there is no index');
  },
};

function hostWith(...images: readonly (Partial<MemoryImage> & { readonly letter: string })[]): MemoryDockerHost {
  const host = makeMemoryDockerHost();
  for (const { letter, ...rest } of images)
    host.registry.push({ repository: REPOSITORY, digest: digestOf(letter), ...rest });
  return host;
}

interface Run {
  readonly letter: string;
  readonly definition?: Partial<DockerTargetDefinition>;
  readonly mayKeep?: boolean;
  readonly engine?: DockerEngine;
  readonly id?: string;
  readonly checkStillAccepted?: () => Promise<void>;
}

function deploy(
  host: MemoryDockerHost,
  { letter, definition, mayKeep = true, engine, id, checkStillAccepted }: Run,
): Promise<string> {
  const operation: Operation = {
    definition: { ...DEFINITION, ...definition },
    place: PLACE,
    operationId: id ?? `op-${letter}`,
    component: componentOf(letter),
    mayKeep,
  };
  return inScope(async (scope) => {
    const work = {
      scope,
      checkStillAccepted: checkStillAccepted ?? (() => Promise.resolve()),
      onSwitching: () => undefined,
    };
    return (await operate(engine ?? host.open(), DEPS, operation, work)).message;
  });
}

function inScope<Answer>(run: (scope: CallScope) => Promise<Answer>): Promise<Answer> {
  const call = { signal: new AbortController().signal, timeoutMs: 30_000 };
  return withinCall<Answer>(
    { call, clock: nodeClock, target: 'api' },
    (error) => {
      throw error;
    },
    run,
  );
}

async function serving(host: MemoryDockerHost): Promise<string | null> {
  const { digest, message } = await lookAtContainer(host.open(), PLACE);
  return message === '' ? digest : null;
}

describe('an operation of a docker target', () => {
  it('pulls by digest with the login of the registry, and leaves one container with the name', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b' });
    expect(await deploy(host, { letter: 'a' })).toContain(`pulled ${digestOf('a')}`);
    expect(await deploy(host, { letter: 'b' })).toContain(`image ${memoryImageId(digestOf('b'))}`);
    expect(await serving(host)).toBe(digestOf('b'));
    expect(host.containers.map(({ name }) => name)).toEqual(['api']);
    expect(host.logins).toEqual([
      { username: 'ana', password: 'secret' },
      { username: 'ana', password: 'secret' },
    ]);
    expect(host.specOf('api')?.Labels).toMatchObject({
      'dev.stella.environment': 'prod',
      'dev.stella.target': 'api',
      'dev.stella.component': 'api',
      'dev.stella.digest': digestOf('b'),
      'dev.stella.operation': 'op-b',
    });
  });

  it('brings a former digest back without its registry', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b' });
    await deploy(host, { letter: 'a' });
    await deploy(host, { letter: 'b' });
    host.registryError = 'dial tcp: connection refused';
    expect(await deploy(host, { letter: 'a', id: 'back' })).toContain('is on the engine');
    expect(await serving(host)).toBe(digestOf('a'));
    await expect(deploy(host, { letter: 'c' })).rejects.toMatchObject({ code: 'registry.unreachable' });
    expect(await serving(host)).toBe(digestOf('a'));
  });

  it('tells what the registry said: registry.artifact_missing, registry.denied, registry.bad_manifest', async () => {
    const host = hostWith({ letter: 'a' });
    await deploy(host, { letter: 'a' });
    await expect(deploy(host, { letter: 'b' })).rejects.toMatchObject({ code: 'registry.artifact_missing' });
    host.registryError = 'unauthorized: authentication required';
    await expect(deploy(host, { letter: 'b' })).rejects.toMatchObject({ code: 'registry.denied' });
    host.registryError = 'no matching manifest for linux/arm64 in the manifest list entries';
    await expect(deploy(host, { letter: 'b' })).rejects.toMatchObject({ code: 'registry.bad_manifest' });
    host.registryError = 'write /var/lib/docker/x: no space left on device';
    await expect(deploy(host, { letter: 'b' })).rejects.toMatchObject({ code: 'target.disk_full' });
    expect(await serving(host)).toBe(digestOf('a'));
  });

  it('refuses an image that is not of the promised manifest, as registry.digest_mismatch', async () => {
    const host = hostWith({ letter: 'a', id: `sha256:${'9'.repeat(64)}` });
    await expect(deploy(host, { letter: 'a' })).rejects.toMatchObject({ code: 'registry.digest_mismatch' });
    expect(host.containers).toEqual([]);
  });

  it('keeps what runs as promised, and makes it anew for other settings, a secret, or an operation cut before', async () => {
    const host = hostWith({ letter: 'a' });
    await deploy(host, { letter: 'a' });
    const idOf = (): string | undefined => host.containers[0]?.id;
    const first = idOf();
    expect(await deploy(host, { letter: 'a', id: 'again' })).toContain('already');
    expect(idOf()).toBe(first);
    await deploy(host, { letter: 'a', id: 'other', definition: { env: { PORT: '9090' } } });
    const second = idOf();
    expect(second).not.toBe(first);
    await deploy(host, { letter: 'a', id: 'cut', definition: { env: { PORT: '9090' } }, mayKeep: false });
    const third = idOf();
    expect(third).not.toBe(second);
    await deploy(host, { letter: 'a', id: 'secret', definition: { secretEnv: { DB: 'env:STELLA_SECRET_DB' } } });
    expect(idOf()).not.toBe(third);
    expect(host.specOf('api')?.['Env']).toEqual(['DB=hunter2', 'PORT=8080']);
    expect(JSON.stringify(host.specOf('api')?.Labels)).not.toContain('hunter2');
  });

  it('fails a secret that is not there as target.secret_missing, and changes nothing', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b' });
    await deploy(host, { letter: 'a' });
    const definition = { secretEnv: { DB: 'env:STELLA_SECRET_NONE' } };
    await expect(deploy(host, { letter: 'b', definition })).rejects.toMatchObject({ code: 'target.secret_missing' });
    expect(await serving(host)).toBe(digestOf('a'));
  });

  it('brings the old container back when the new one cannot be started', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b', startError: 'port is already allocated' });
    await deploy(host, { letter: 'a' });
    await expect(deploy(host, { letter: 'b' })).rejects.toThrow('port is already allocated');
    expect(await serving(host)).toBe(digestOf('a'));
    expect(host.containers).toHaveLength(1);
  });

  it.each([
    { letter: 'b', health: 'unhealthy' as const, says: 'unhealthy' },
    { letter: 'b', exitCode: 3, says: 'exit code 3' },
  ])('start_first: leaves the old one serving when the new one is not well: $says', async ({ says, ...image }) => {
    const host = hostWith({ letter: 'a', health: 'healthy' }, image);
    const health = { kind: 'container', intervalMs: 10, deadlineMs: 1_000 } as const;
    const definition = { order: 'start_first', health } as const;
    await deploy(host, { letter: 'a', definition });
    const old = host.containers[0]?.id;
    await expect(deploy(host, { letter: 'b', definition })).rejects.toThrow(says);
    expect(host.containers).toMatchObject([{ id: old, state: 'running', name: 'api' }]);
  });

  it('takes no source but a registry, as target.source_unfit', async () => {
    const host = hostWith({ letter: 'a' });
    const component: ReleaseComponent = { ...componentOf('a'), source: { kind: 'oci-layout', directory: '/srv/shop' } };
    const operation = { definition: DEFINITION, place: PLACE, operationId: 'op', component, mayKeep: true };
    const run = inScope((scope) =>
      operate(host.open(), DEPS, operation, {
        scope,
        checkStillAccepted: () => Promise.resolve(),
        onSwitching: () => undefined,
      }),
    );
    await expect(run).rejects.toMatchObject({ code: 'target.source_unfit' });
  });

  it('leaves a container of somebody else alone, as target.in_the_way', async () => {
    const host = hostWith({ letter: 'a' });
    host.build('sha256:local');
    await host.open().create('api', { Image: 'sha256:local', Labels: {} });
    await expect(deploy(host, { letter: 'a' })).rejects.toMatchObject({ code: 'target.in_the_way' });
    expect(host.containers).toHaveLength(1);
  });

  it('changes nothing when a newer fence is known just before the switch', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b' });
    await deploy(host, { letter: 'a' });
    const checkStillAccepted = (): Promise<void> => Promise.reject(new Error('a newer fence'));
    for (const order of ['stop_first', 'start_first'] as const) {
      await expect(deploy(host, { letter: 'b', definition: { order }, checkStillAccepted })).rejects.toThrow('newer');
      expect(await serving(host)).toBe(digestOf('a'));
      expect(host.containers).toHaveLength(1);
    }
  });
});

describe('what really runs', () => {
  it('is told by the image, whatever the labels claim', async () => {
    const host = hostWith({ letter: 'a' });
    await deploy(host, { letter: 'a' });
    const [real] = host.containers;
    const engine = host.open();
    await engine.remove(real?.id ?? '');
    host.build('sha256:local');
    const id = await engine.create('api', { Image: 'sha256:local', Labels: real?.labels ?? {} });
    await engine.start(id);
    const seen = await lookAtContainer(engine, PLACE);
    expect(seen).toMatchObject({ digest: null, message: expect.stringContaining('came from no registry') as string });
    expect(await lookUp(engine, PLACE, 'op-a')).toBeNull();
    expect(await deploy(host, { letter: 'a', id: 'mend' })).toContain('is on the engine');
    expect(await serving(host)).toBe(digestOf('a'));
  });

  it('names the promised one of several digests of one image, and a container that serves beside it', async () => {
    const host = hostWith({ letter: 'a', id: memoryImageId(digestOf('b')) }, { letter: 'b' });
    const engine = host.open();
    await engine.pull(REPOSITORY, digestOf('a'), null);
    await deploy(host, { letter: 'b' });
    expect(await serving(host)).toBe(digestOf('b'));
    const beside = await engine.create('other', {
      Image: `${REPOSITORY}@${digestOf('a')}`,
      Labels: host.containers[0]?.labels ?? {},
    });
    await engine.start(beside);
    expect(await lookAtContainer(engine, PLACE)).toMatchObject({
      message: expect.stringContaining('runs beside') as string,
    });
  });
});

/** Ends the stream at the given request, before or after the engine has carried it out. */
function cutAt(
  host: MemoryDockerHost,
  at: number,
  when: 'before' | 'after',
): { engine: DockerEngine; count: () => number } {
  let count = 0;
  const engine = host.open((_request, moment) => {
    if (moment === 'before') count += 1;
    return count === at && moment === when;
  });
  return { engine, count: () => count };
}

describe('an operation that is cut off from the engine', () => {
  it('at any request leaves what the next one mends, in either order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.integer({ min: 1, max: 30 }), isAfter: fc.boolean(), isB: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.constantFrom('stop_first' as const, 'start_first' as const),
        fc.boolean(),
        async (cuts, order, isEmptyBefore) => {
          const host = hostWith({ letter: 'a', health: 'healthy' }, { letter: 'b', health: 'healthy' });
          const health = { kind: 'container', intervalMs: 10, deadlineMs: 1_000 } as const;
          const definition = { order, health };
          if (!isEmptyBefore) await deploy(host, { letter: 'a', definition });
          for (const [index, { at, isAfter, isB }] of cuts.entries()) {
            const { engine } = cutAt(host, at, isAfter ? 'after' : 'before');
            const id = `cut-${index}`;
            const letter = isB ? 'b' : 'a';
            const isDone = await deploy(host, { letter, definition, engine, id, mayKeep: false }).then(
              () => true,
              () => false,
            );
            // Cut after its last request it has done all of it, which a look-up must find.
            const found = await lookUp(host.open(), PLACE, id);
            expect(isDone && found?.digest !== digestOf(letter)).toBe(false);
          }
          await deploy(host, { letter: 'b', definition, id: 'last', mayKeep: false });
          expect(await serving(host)).toBe(digestOf('b'));
          expect(host.containers).toMatchObject([{ name: 'api', state: 'running' }]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('and never leaves a look-up that calls an unfinished switch a success', async () => {
    for (let at = 1; at <= 30; at += 1) {
      for (const when of ['before', 'after'] as const) {
        const host = hostWith({ letter: 'a' }, { letter: 'b' });
        await deploy(host, { letter: 'a' });
        const { engine, count } = cutAt(host, at, when);
        await deploy(host, { letter: 'b', engine, mayKeep: false }).catch(() => undefined);
        const found = await lookUp(host.open(), PLACE, 'op-b');
        const main = host.containers.find(({ name }) => name === 'api');
        expect(found !== null).toBe(main?.state === 'running' && main.labels['dev.stella.operation'] === 'op-b');
        if (count() < at) return;
      }
    }
  });

  it('start_first: is no success while the container that it replaces runs beside the new one', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b' });
    const definition = { order: 'start_first' } as const;
    await deploy(host, { letter: 'a', definition });
    const engine = host.open((request, when) => request === 'stop' && when === 'before');
    await expect(deploy(host, { letter: 'b', definition, engine })).rejects.toThrow('the stream has ended');
    expect(host.containers.map(({ state }) => state)).toEqual(['running', 'running']);
    expect(await lookUp(host.open(), PLACE, 'op-b')).toBeNull();
    await deploy(host, { letter: 'b', definition, id: 'again', mayKeep: false });
    expect(await serving(host)).toBe(digestOf('b'));
  });

  it('is not known to have failed when the engine will not remove the old container after the switch', async () => {
    const host = hostWith({ letter: 'a' }, { letter: 'b' });
    await deploy(host, { letter: 'a' });
    const engine = { ...host.open(), remove: () => Promise.reject(new EngineFailure(500, 'device or resource busy')) };
    await expect(deploy(host, { letter: 'b', engine })).rejects.toMatchObject({
      name: 'SwitchBroken',
      message: 'device or resource busy',
    });
    expect(await lookUp(host.open(), PLACE, 'op-b')).toMatchObject({ digest: digestOf('b') });
    await deploy(host, { letter: 'a', id: 'next' });
    expect(host.containers).toMatchObject([{ name: 'api', state: 'running' }]);
  });
});
