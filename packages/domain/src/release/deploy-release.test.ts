import { makeDefinition, makeRelease } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { deployedComponent, deployRelease } from './deploy-release.ts';

const [target] = makeDefinition().targets;
const place = (components: readonly string[], concurrency: 'exclusive' | 'per_component' = 'exclusive') => ({
  name: 'prod',
  concurrency,
  targets: components.map((component) => ({ ...target, component })) as ReturnType<typeof makeDefinition>['targets'],
});

describe('deployedComponent', () => {
  it('is the one that is named, the one it was before, or the only one', () => {
    expect(deployedComponent(place(['api', 'web']), 'api', [])).toBe('api');
    expect(deployedComponent(place(['api', 'web']), null, ['web', 'worker'])).toBe('web');
    expect(deployedComponent(place(['web', 'web']), null, [])).toBe('web');
  });

  it('asks for it when it may be several, and names those that there are', () => {
    expect(() => deployedComponent(place(['api', 'web']), null, [])).toThrow('prod runs api, web');
    expect(() => deployedComponent(place(['api', 'web']), 'wob', [])).toThrow('no target of prod runs');
  });
});

describe('deployRelease', () => {
  const [api] = makeRelease(7, ['api']).components;
  if (!api) throw new Error('no component');

  it('leaves the other components as they run, where a release carries all of them', () => {
    const base = makeRelease(3, ['api', 'web', 'gone']);
    const made = deployRelease(place(['api', 'web']), api, { base, nowMs: 0 });
    expect(made.components.map((one) => one.name).sort()).toEqual(['api', 'web']);
    expect(made.components.find((one) => one.name === 'api')?.digest).toBe(api.digest);
    expect(made.name).toMatch(/^prod-api-[0-9a-f]{12}-19700101T0+$/);
    const alone = deployRelease(place(['api', 'web'], 'per_component'), api, { base, nowMs: 0 });
    expect(alone.components).toEqual([api]);
  });
});
