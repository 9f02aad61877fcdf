import {
  makeDefinition,
  makeDependencyGate,
  makeEmptyEnvironment,
  makeRelease,
  makeStage,
  makeWholeEnvironment,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { DependencyRequirement, EnvironmentStatus } from '../../index.ts';
import { withRelease } from '../scope.ts';

const HOUR_MS = 3_600_000;

const requirement = (patch: Partial<DependencyRequirement> = {}): DependencyRequirement => ({
  environment: 'edge',
  state: 'runs',
  component: null,
  release: null,
  ...patch,
});

/** A promotion of release 5 into prod, which depends on `edge`. */
function stageWith(edge: EnvironmentStatus | null, ...requires: readonly DependencyRequirement[]) {
  const gate = makeDependencyGate({ name: 'edge-first', requires });
  const stage = makeStage({
    definition: makeDefinition({ gates: [gate] }),
    releases: [makeRelease(3, ['api']), makeRelease(6, ['web']), makeRelease(7, ['api', 'web'])],
  });
  if (edge) stage.state.environments.set('edge', edge);
  const id = stage.create();
  stage.play(id);
  const run = () => stage.of(id).gateRuns[0];
  return { stage, id, run };
}

describe('a dependency', () => {
  it('is queued without a lock until the other environment runs the release, and then passes', () => {
    const { stage, id, run } = stageWith(makeWholeEnvironment('edge', makeRelease(4)), requirement());
    expect(stage.of(id).promotion).toMatchObject({ status: 'queued', step: 'evaluate_gates' });
    expect(run()).toMatchObject({ state: 'waiting', message: 'edge runs shop-4, wanted is shop-5 or newer' });
    expect(stage.of(id).locks).toEqual([]);
    stage.state.environments.set('edge', makeWholeEnvironment('edge', makeRelease(6)));
    stage.wait(30_000);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it.each<[string, EnvironmentStatus | null, Partial<DependencyRequirement>, string]>([
    ['no such environment', null, {}, 'there is no environment edge'],
    ['nothing runs there', makeEmptyEnvironment('edge'), {}, 'edge runs nothing yet, wanted is shop-5'],
    ['it is mixed', { ...makeWholeEnvironment('edge', makeRelease(5)), state: 'mixed' }, {}, 'edge is mixed'],
    [
      'no such component',
      makeWholeEnvironment('edge', makeRelease(5)),
      { component: 'api' },
      'shop-5 in edge has no component api',
    ],
    [
      'a newer one without a component of the wanted one (seed 2000972)',
      makeWholeEnvironment('edge', makeRelease(6, ['api'])),
      {},
      'shop-6 in edge has no component web',
    ],
    [
      'no such release',
      makeWholeEnvironment('edge', makeRelease(5)),
      { release: 'shop-77' },
      'there is no release shop-77 yet',
    ],
    [
      'an older one',
      makeWholeEnvironment('edge', makeRelease(5)),
      { release: 'shop-7' },
      'edge runs shop-5, wanted is shop-7 or newer',
    ],
  ])('waits while %s', (_name, edge, patch, message) => {
    expect(stageWith(edge, requirement(patch)).run()).toMatchObject({ state: 'waiting', message });
  });

  it.each<[string, Partial<DependencyRequirement>, string | null]>([
    ['components that the release carries', {}, null],
    ['a component that is as new', { component: 'web' }, null],
    ['an older component', { component: 'api' }, 'edge runs component api of shop-3, wanted is shop-5 or newer'],
    [
      'a release of all components',
      { release: 'shop-7' },
      'edge runs component api of shop-3, wanted is shop-7 or newer',
    ],
    ['a component that never ran there', { component: 'worker' }, 'edge runs no component worker'],
  ])('looks at each component where they are of several releases: %s', (_what, patch, message) => {
    const beside = { ...makeWholeEnvironment('edge', makeRelease(3, ['api'])), concurrency: 'per_component' } as const;
    const edge = withRelease(beside, makeRelease(6, ['web']), HOUR_MS);
    const { stage, id, run } = stageWith(edge, requirement(patch));
    expect(message === null ? stage.of(id).promotion.status : run()?.message).toBe(message ?? 'completed');
  });

  it('takes a named release, and a component of what runs', () => {
    const edge = makeWholeEnvironment('edge', makeRelease(3));
    const { stage, id } = stageWith(edge, requirement({ release: 'shop-2', component: 'web' }));
    expect(stage.of(id).promotion.status).toBe('completed');
  });

  it('of idle waits for whoever is past his gates, and for nobody else', () => {
    const gate = makeDependencyGate({ name: 'quiet', requires: [requirement({ environment: 'prod', state: 'idle' })] });
    const stage = makeStage({ definition: makeDefinition({ gates: [gate] }) });
    // Of the same environment, which the configuration refuses: here it is the only one that has promotions.
    const id = stage.create();
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('fails by its deadline', () => {
    const { stage, id } = stageWith(null, requirement());
    stage.wait(24 * HOUR_MS);
    stage.look(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'failed', ending: { code: 'gate.deadline' } });
  });
});
