import { type ComposeTargetDefinition, combinedDigest, type Digest, type ReleaseComponent } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type LockWish, renderLock, valueVariables } from './render-lock.ts';

const component = (name: string, letter: string): ReleaseComponent => ({
  name,
  source: { kind: 'registry', registry: 'registry.example:5000', repository: `shop/${name}` },
  digest: `sha256:${letter.repeat(64)}` as Digest,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  tag: null,
});
const API = component('api', 'a');
const PINNED = `registry.example/redis@sha256:${'c'.repeat(64)}`;

const DEFINITION: ComposeTargetDefinition = {
  kind: 'compose',
  name: 'shop',
  components: { api: 'api' },
  project: 'shop',
  socket: null,
  compose: {
    services: {
      api: { ports: ['22:22'], labels: ['team=shop'], environment: { NO: 'yes' } },
      cache: { image: PINNED },
    },
    volumes: { data: null },
  },
  health: null,
};
const WISH: LockWish = {
  environment: 'prod',
  operation: { fence: { epoch: 1, n: 7 }, operationId: 'op-7' },
  parts: [API],
};

function servicesOf(text: string): object {
  const found: unknown = parse(text);
  if (typeof found !== 'object' || found === null || !('services' in found)) throw new Error('it has services');
  return { services: found.services };
}

describe('the lock of a deploy', () => {
  it('has every image by its digest, and labels that say whose the containers are', () => {
    expect(parse(renderLock(DEFINITION, WISH).text)).toEqual({
      'x-stella': {
        environment: 'prod',
        target: 'shop',
        project: 'shop',
        release: combinedDigest([API]),
        components: { api: API.digest },
        fence: '1.7',
        operation: 'op-7',
      },
      services: {
        api: {
          ports: ['22:22'],
          environment: { NO: 'yes' },
          image: `registry.example:5000/shop/api@${API.digest}`,
          labels: {
            team: 'shop',
            'dev.stella.environment': 'prod',
            'dev.stella.target': 'shop',
            'dev.stella.component': 'api',
            'dev.stella.digest': API.digest,
          },
        },
        cache: { image: PINNED, labels: { 'dev.stella.environment': 'prod', 'dev.stella.target': 'shop' } },
      },
      volumes: { data: null },
    });
  });

  it('says the same to readers of YAML 1.1, where 22:22 is a number and yes a truth', () => {
    const { text } = renderLock(DEFINITION, WISH);
    expect(parse(text, { version: '1.1' })).toEqual(parse(text));
    expect(text).toContain('"22:22"');
  });

  it('is the same bytes for the same deploy, and others for the next', () => {
    const first = renderLock(DEFINITION, WISH);
    expect(renderLock(DEFINITION, WISH)).toEqual(first);
    const next = renderLock(DEFINITION, { ...WISH, operation: { ...WISH.operation, operationId: 'op-8' } });
    expect(next.checksum).not.toBe(first.checksum);
    expect(parse(next.text)).toMatchObject(servicesOf(first.text));
  });

  it('names secrets where their values come, beside the other variables, and changes nothing without them', () => {
    const services = { api: { environment: ['MODE=on'] }, cache: { image: PINNED } };
    const secretEnv = {
      api: { DB: 'env:STELLA_SECRET_DB', KEY: 'file:/etc/stella/secrets/key' },
      cache: { DB: 'env:STELLA_SECRET_CACHE' },
    };
    const definition = { ...DEFINITION, compose: { services }, secretEnv };
    expect(valueVariables(definition)).toEqual({
      'api.DB': 'STELLA_VALUE_1',
      'api.KEY': 'STELLA_VALUE_2',
      'cache.DB': 'STELLA_VALUE_3',
    });
    const { text } = renderLock(definition, WISH);
    expect(parse(text)).toMatchObject({
      services: {
        api: {
          environment: {
            MODE: 'on',
            DB: `\${STELLA_VALUE_1?given by Stella}`,
            KEY: `\${STELLA_VALUE_2?given by Stella}`,
          },
        },
        cache: { image: PINNED, environment: { DB: `\${STELLA_VALUE_3?given by Stella}` } },
      },
    });
    for (const reference of ['STELLA_SECRET', 'secrets/key']) expect(text).not.toContain(reference);
    expect(renderLock({ ...DEFINITION, secretEnv: {} }, WISH)).toEqual(renderLock(DEFINITION, WISH));
  });
});
