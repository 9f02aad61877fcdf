/** `strategy` as it is written: what is taken, and what is refused with its reason. */
import { makeCanary } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const TARGETS = `targets:
  - { name: web-1, kind: files, component: web, directory: /srv/1 }
  - { name: web-2, kind: files, component: web, directory: /srv/2 }
  - { name: api-1, kind: files, component: api, directory: /srv/3 }
`;
const JUDGE = "{ url: 'http://127.0.0.1:9/health', timeout: 2s, interval: 5s, failuresAllowed: 1 }";

function read(strategy: string, more = '') {
  const text = `kind: Environment\nname: prod\n${TARGETS}strategy: ${strategy}\n${more}`;
  return parseEnvironmentDocuments(text, 'prod.yaml')[0]?.definition.strategy;
}

describe('a strategy', () => {
  it('is read with its defaults, and all at once is none', () => {
    expect(read('{ kind: all_at_once }')).toBeUndefined();
    expect(read('{ kind: rolling, maxUnavailable: 2 }')).toEqual({ kind: 'rolling', maxUnavailable: 2 });
    expect(read(`{ kind: canary, targets: [web-1], soak: 10s, judge: ${JUDGE} }`)).toEqual(makeCanary());
    const bare = "{ kind: canary, targets: [web-1], soak: 1m, judge: { url: 'http://127.0.0.1:9/' } }";
    expect(read(bare)).toMatchObject({
      judge: { expectStatus: 200, timeoutMs: 5_000, intervalMs: 15_000, failuresAllowed: 0 },
    });
  });

  it('takes bounds of a number with decimals', () => {
    const value = "value: { pointer: '/data/result/0/value/1', min: -1, max: 0.000001 }";
    const read1 = read(`{ kind: canary, targets: [web-1], soak: 1m, judge: { url: 'http://127.0.0.1:9/', ${value} } }`);
    expect(read1).toMatchObject({ judge: { value: { min: -1, max: 0.000001 } } });
  });

  it.each([
    ['{ kind: rolling }', 'maxUnavailable'],
    ['{ kind: rolling, maxUnavailable: 4 }', 'from 1 to 3'],
    ['{ kind: rolling, maxUnavailable: 1, soak: 1m }', 'soak'],
    [`{ kind: canary, targets: [web-9], soak: 10s, judge: ${JUDGE} }`, 'this environment has no target "web-9"'],
    [`{ kind: canary, targets: [web-1, web-2, api-1], soak: 10s, judge: ${JUDGE} }`, 'at least one has to come after'],
    ['{ kind: canary, targets: [web-1], soak: 10s }', 'a canary needs somebody to ask'],
    [`{ kind: canary, targets: [web-1], soak: 15m, judge: ${JUDGE} }`, 'make 15m2s, and deployDeadline is 15m'],
    [`{ kind: canary, targets: [web-1], soak: 1h, judge: ${JUDGE} }`, 'make 721 questions, at most 200 are asked'],
  ])('refuses %s', (strategy, reason) => {
    expect(() => read(strategy)).toThrow(reason);
  });

  it.each([
    ["{ pointer: '/a' }", 'expected min, max or both'],
    ["{ pointer: '/a', min: 2, max: 1 }", 'more than max'],
    ["{ pointer: 'a', min: 2 }", 'is no JSON pointer'],
    ["{ pointer: '/a', min: 0.0000001 }", 'at most 6 decimals'],
  ])('refuses a value of %s', (value, reason) => {
    const judge = `{ url: 'http://127.0.0.1:9/', value: ${value} }`;
    expect(() => read(`{ kind: canary, targets: [web-1], soak: 1m, judge: ${judge} }`)).toThrow(reason);
  });

  it('wants a canary of each component where releases carry some of them', () => {
    const strategy = `{ kind: canary, targets: [web-1], soak: 10s, judge: ${JUDGE} }`;
    expect(() => read(strategy, 'concurrency: per_component\n')).toThrow('none runs component "api"');
  });
});
