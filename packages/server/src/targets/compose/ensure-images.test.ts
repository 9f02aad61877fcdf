/** The images of a project on an engine in memory: what is pulled, as whom, and what is there already. */
import type { ComposeTargetDefinition, Digest, ReleaseComponent } from '@stella/domain';
import { makeComposeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import {
  makeMemoryDockerHost,
  memoryImageId,
  type MemoryDockerHost,
} from '../../../test/contract/memory-docker-engine.ts';
import type { ArtifactDocument } from '../../ports/registry.ts';
import { nodeClock } from '../../system/node-clock.ts';
import { withinCall } from '../call-scope.ts';
import type { ImageDeps } from '../docker/ensure-image.ts';
import { ensureImages } from './ensure-images.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CACHE = { repository: 'cache.example/redis', digest: digest('c') };
const component = (name: string, letter: string): ReleaseComponent => ({
  name,
  source: { kind: 'registry', registry: 'registry.example:5000', repository: `shop/${name}` },
  digest: digest(letter),
  mediaType: MANIFEST,
  tag: null,
});
const DEFINITION: ComposeTargetDefinition = makeComposeTarget({
  compose: { services: { api: {}, web: {}, cache: { image: `${CACHE.repository}@${CACHE.digest}` } } },
});
const PARTS = [component('api', 'a'), component('web', 'b')];

/** Each registry knows us by another name. */
const DEPS: ImageDeps = {
  registry: {
    resolve: () => Promise.reject(new Error('not asked for')),
    readBlob: () => {
      throw new Error('not asked for');
    },
    readDocument: (_source, wanted) =>
      Promise.resolve<ArtifactDocument>({
        kind: 'manifest',
        digest: wanted,
        mediaType: MANIFEST,
        config: { mediaType: 'c', digest: memoryImageId(wanted) as Digest, sizeBytes: 1 },
        layers: [],
      }),
  },
  loginOf: (host) => Promise.resolve({ username: `ana at ${host}`, password: 'secret' }),
  pickManifestFor: () => {
    throw new Error('there is no index');
  },
};

function hostWith(...letters: readonly string[]): MemoryDockerHost {
  const host = makeMemoryDockerHost();
  for (const { source, digest: own } of PARTS) {
    if (source.kind !== 'registry' || !letters.includes(own.at(-1) ?? '')) continue;
    host.registry.push({ repository: `${source.registry}/${source.repository}`, digest: own });
  }
  if (letters.includes('c')) host.registry.push(CACHE);
  return host;
}

function ensure(host: MemoryDockerHost): Promise<string> {
  const call = { signal: new AbortController().signal, timeoutMs: 10_000 };
  return withinCall<string>(
    { call, clock: nodeClock, target: 'shop-1' },
    (error) => {
      throw error;
    },
    (scope) => ensureImages(host.open(), DEPS, { definition: DEFINITION, parts: PARTS }, scope),
  );
}

describe('the images of a project', () => {
  it('are pulled by digest, each as whom its registry knows us, pinned services too', async () => {
    const host = hostWith('a', 'b', 'c');
    expect(await ensure(host)).toBe(`api: pulled ${digest('a')}; web: pulled ${digest('b')}`);
    expect(host.logins.map((one) => one && 'username' in one && one.username)).toEqual([
      'ana at registry.example:5000',
      'ana at registry.example:5000',
      'ana at cache.example',
    ]);
  });

  it('are not pulled again, also when their registry is gone', async () => {
    const host = hostWith('a', 'b', 'c');
    await ensure(host);
    host.registryError = 'unauthorized: authentication required';
    expect(await ensure(host)).toContain('api: sha256:');
    expect(host.logins).toHaveLength(3);
  });

  it.each([
    ['a component', ['a', 'c']],
    ['a pinned service', ['a', 'b']],
  ])('stop a deploy when %s is not there', async (_what, letters) => {
    await expect(ensure(hostWith(...letters))).rejects.toMatchObject({ code: 'registry.artifact_missing' });
  });
});
