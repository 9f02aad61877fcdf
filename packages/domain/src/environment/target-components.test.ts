import { describe, expect, it } from 'vitest';
import type { ReleaseComponent } from '../release/release.ts';
import type { Digest } from '../values/digest.ts';
import { digestOf } from '../values/digest.ts';
import { combinedDigest, componentsOf, componentWords, partsFor, promisedDigestOf } from './target-components.ts';
import type { TargetDefinition } from './target-definition.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;
const component = (name: string, letter: string): ReleaseComponent => ({
  name,
  source: { kind: 'registry', registry: 'registry.example', repository: name },
  digest: digest(letter),
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  tag: null,
});

const files: TargetDefinition = {
  kind: 'files',
  name: 'web',
  component: 'web',
  directory: '/srv/web',
  keepCount: 3,
  health: null,
};
const compose: TargetDefinition = {
  kind: 'compose',
  name: 'shop',
  components: { worker: 'jobs', api: 'api', nightly: 'jobs' },
  project: 'shop',
  socket: null,
  compose: {},
  health: null,
};
const release = { components: [component('api', 'a'), component('jobs', 'b'), component('web', 'c')] };

describe('what a target runs of a release', () => {
  it('is its component, or each of several once in their order', () => {
    expect(componentsOf(files)).toEqual(['web']);
    expect(componentsOf(compose)).toEqual(['api', 'jobs']);
    expect(componentWords(compose)).toBe('api, jobs');
    expect(partsFor(compose, release)?.map((one) => one.name)).toEqual(['api', 'jobs']);
  });

  it('is promised as the digest of the one, or as one of all together', () => {
    expect(promisedDigestOf(files, release)).toBe(digest('c'));
    const text = `{"api":"${digest('a')}","jobs":"${digest('b')}"}`;
    expect(promisedDigestOf(compose, release)).toBe(digestOf(text));
    expect(combinedDigest([component('jobs', 'b'), component('api', 'a')])).toBe(digestOf(text));
    expect(promisedDigestOf({ ...compose, components: { api: 'api' } }, release)).toBe(digest('a'));
  });

  it('is nothing when the release lacks some of it', () => {
    expect(promisedDigestOf(compose, { components: [component('api', 'a')] })).toBeNull();
    expect(promisedDigestOf(compose, null)).toBeNull();
  });
});
