/** What a promotion is about when components go each their own way, and that one release for all stays what it was. */
import {
  BOB,
  makeApprovalGate,
  makeDefinition,
  makeEmptyEnvironment,
  makeRelease,
  makeSoakGate,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  type Stage,
} from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EnvironmentDefinition } from '../environment/environment-definition.ts';
import type { PromotionId } from '../values/ids.ts';
import type { EnvironmentStatus } from './promotion.ts';
import { baseIdOf, isOlderThanBase, placesOf, runsWholeSinceMs, withRelease, withState } from './scope.ts';

const NAMES = ['api', 'web', 'worker'];
const TARGETS = [makeTarget({ name: 'web-1' }), makeTarget({ name: 'api-1', component: 'api' })];

/** `api` and `web` with a target each; release 3 runs there. */
function start(patch: Partial<EnvironmentDefinition> = {}): Stage {
  const definition = makeDefinition({ targets: TARGETS, concurrency: 'per_component', ...patch });
  const environment = makeWholeEnvironment('prod', makeRelease(3, ['api', 'web']));
  const stage = makeStage({
    definition,
    environment: { ...environment, concurrency: 'per_component' },
    releases: [
      makeRelease(3, ['api', 'web']),
      makeRelease(5, ['web']),
      makeRelease(6, ['api']),
      makeRelease(7, ['web']),
    ],
  });
  stage.wait(1_000);
  return stage;
}

const targetsDeployed = (stage: Stage, id: PromotionId): string[] =>
  stage.of(id).attempts.flatMap((one) => (one.purpose === 'deploy' ? [one.subject] : []));

describe('with concurrency: per_component', () => {
  it('promotions of disjoint components run at the same time, and each leaves its own', () => {
    const stage = start();
    const [web, api] = [stage.create({ release: 5 }), stage.create({ release: 6 })];
    stage.play(web, 'deploy');
    expect(stage.play(api, 'deploy').locks.map((lock) => lock.resource)).toContain('environment:prod/api');
    expect(targetsDeployed(stage, web)).toEqual(['web-1']);
    expect(targetsDeployed(stage, api)).toEqual(['api-1']);
    expect(stage.play(web).promotion.status).toBe('completed');
    stage.wait(1_000);
    expect(stage.play(api).promotion.status).toBe('completed');
    const { environment } = stage.of(api);
    expect(environment).toMatchObject({ state: 'whole', releaseId: null, releaseNumber: 6 });
    expect(environment.components.map((one) => [one.component, one.releaseNumber])).toEqual([
      ['api', 6],
      ['web', 5],
    ]);
  });

  it('lets one wait that shares a component, and another one pass it that does not', () => {
    const stage = start();
    const holder = stage.create({ release: 5 });
    stage.play(holder, 'preflight');
    const waiter = stage.create({ release: 7 });
    expect(stage.play(waiter).promotion.step).toBe('acquire_locks');
    const other = stage.create({ release: 6 });
    expect(stage.play(other).promotion.status).toBe('completed');
    stage.wait(1_000);
    expect(stage.play(holder).promotion.status).toBe('completed');
    stage.wait(1_000);
    expect(stage.play(waiter).promotion.status).toBe('completed');
  });

  it('keeps an approval while another component changes, and voids it when its own does', () => {
    const stage = start({ gates: [makeApprovalGate()] });
    const [web, api] = [stage.create({ release: 7 }), stage.create({ release: 6 })];
    for (const id of [web, api]) stage.play(id);
    stage.approve(api, BOB);
    expect(stage.play(api).promotion.status).toBe('completed');
    stage.wait(1_000);
    stage.approve(web, BOB);
    expect(stage.play(web).promotion.status).toBe('completed');
    expect(stage.of(web).gateRuns).toHaveLength(1);
  });

  it('rolls back to what ran of its own component, and marks no other', () => {
    const stage = start();
    const web = stage.create({ release: 5 });
    stage.play(web);
    stage.wait(1_000);
    const next = stage.create({ release: 7 });
    stage.play(next, 'deploy');
    stage.answer(next, 'deploy', 'web-1', { outcome: 'failed' });
    expect(stage.of(next).base?.id).toBe(makeRelease(5).id);
    const { promotion, environment } = stage.play(next);
    expect(promotion.status).toBe('rolled_back');
    expect(environment.components.map((one) => [one.releaseNumber, one.state])).toEqual([
      [3, 'whole'],
      [5, 'whole'],
    ]);
  });

  it('holds, and marks its component alone, when nothing of it was ever verified there', () => {
    const stage = makeStage({
      definition: makeDefinition({ targets: TARGETS, concurrency: 'per_component' }),
      environment: {
        ...makeWholeEnvironment('prod', makeRelease(3, ['api'])),
        concurrency: 'per_component',
      },
      releases: [makeRelease(3, ['api']), makeRelease(5, ['web'])],
    });
    const id = stage.create({ release: 5 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1', { outcome: 'failed' });
    const { promotion, environment } = stage.of(id);
    expect(promotion).toMatchObject({ status: 'failed', step: 'deploy' });
    expect(environment).toMatchObject({ state: 'mixed' });
    expect(environment.components.map((one) => one.state)).toEqual(['whole', 'mixed']);
  });

  it('soaks each component where it runs: a newer web there leaves the soak of api alone', () => {
    const dev = { ...makeWholeEnvironment('dev', makeRelease(6, ['api'])), concurrency: 'per_component' } as const;
    const both = withRelease(dev, makeRelease(7, ['web']), 99_000);
    expect(runsWholeSinceMs(both, makeRelease(6, ['api']))).toBe(runsWholeSinceMs(dev, makeRelease(6, ['api'])));
    expect(runsWholeSinceMs(both, makeRelease(7, ['web']))).toBe(99_000);
    expect(runsWholeSinceMs(both, makeRelease(5, ['web']))).toBeNull();
    expect(makeSoakGate().environments).toEqual(['dev']);
  });
});

describe('what runs', () => {
  const step = fc.record({
    n: fc.integer({ min: 1, max: 9 }),
    names: fc.subarray(NAMES, { minLength: 1 }),
    state: fc.constantFrom('whole', 'mixed', 'unknown'),
  });
  const play = (from: EnvironmentStatus, steps: readonly { n: number; names: string[]; state: string }[]) =>
    steps.reduce((environment, { n, names, state }, index) => {
      const release = makeRelease(n, names);
      if (state === 'whole') return withRelease(environment, release, index + 1);
      return withState(environment, release, state === 'mixed' ? 'mixed' : 'unknown');
    }, from);

  it('changes in its own components only, and its base with each change of them and no other', () => {
    const empty: EnvironmentStatus = { ...makeEmptyEnvironment('prod'), concurrency: 'per_component' };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), step, fc.subarray(NAMES, { minLength: 1 }), (steps, last, own) => {
        const before = play(empty, steps);
        const after = withRelease(before, makeRelease(last.n, last.names), 1_000);
        const rowOf = (environment: EnvironmentStatus, name: string) =>
          environment.components.find((one) => one.component === name);
        for (const name of NAMES.filter((one) => !last.names.includes(one))) {
          expect(rowOf(after, name)).toEqual(rowOf(before, name));
        }
        const mine = makeRelease(1, own);
        const isSame = own.every((name) => rowOf(before, name)?.releaseId === rowOf(after, name)?.releaseId);
        const idsBefore = new Set(own.flatMap((name) => rowOf(before, name)?.releaseId ?? []));
        // A component that gets the release which the others run is the same base: there is nothing else to go back to.
        const isJoining = idsBefore.size === 1 && idsBefore.has(makeRelease(last.n).id);
        expect(baseIdOf(before, mine) === baseIdOf(after, mine)).toBe(isSame || isJoining);
        expect(isOlderThanBase(after, makeRelease(last.n, last.names))).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is one release for all with exclusive, as it always was', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const after = play(makeEmptyEnvironment('prod'), steps);
        const last = [...steps].reverse().find((one) => one.state === 'whole');
        const release = last ? makeRelease(last.n, last.names) : null;
        expect(after.releaseId).toBe(release?.id ?? null);
        expect(baseIdOf(after, makeRelease(9))).toBe(release?.id ?? null);
        expect(after.state).toBe(steps.at(-1)?.state);
        expect(new Set(after.components.map((one) => one.state)).size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1_000 },
    );
  });

  it('excludes as a whole, or by its components', () => {
    const place = makeEmptyEnvironment('prod');
    const release = makeRelease(1, ['api', 'web']);
    expect(placesOf(place, release)).toEqual(['environment:prod']);
    const places = placesOf({ ...place, concurrency: 'per_component' }, release);
    expect(places).toEqual(['environment:prod/api', 'environment:prod/web']);
  });
});
