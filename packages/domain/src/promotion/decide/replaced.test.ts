/** `queue: latest`: who makes way for whom, when, and that nobody is forgotten. */
import { makeApprovalGate, makeDefinition, makeRelease, makeSeededIds, makeStage } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { definitionHash, type EnvironmentDefinition } from '../../environment/environment-definition.ts';
import { canonicalJson, type Json } from '../../values/canonical-json.ts';
import { digestOf } from '../../values/digest.ts';
import { PRIORITIES } from '../status.ts';
import { doesReplace } from './replaced.ts';

const SIGNED: Partial<EnvironmentDefinition> = { gates: [makeApprovalGate()], queue: 'latest' };

describe('queue: latest', () => {
  it('ends an older promotion that waits for its approval, woken in the transaction that makes the newer one', () => {
    const stage = makeStage({ definition: makeDefinition(SIGNED) });
    const older = stage.create({ release: 5 });
    stage.play(older);
    expect(stage.of(older).promotion).toMatchObject({ status: 'pending_approval' });
    stage.wait(1_000);
    const newer = stage.create({ release: 6 });
    expect(stage.of(older).promotion.nextActionAtMs).toBe(stage.nowMs());
    stage.look(older);
    expect(stage.of(older).promotion).toMatchObject({
      status: 'superseded',
      ending: { code: 'promotion.replaced', message: `${newer} with shop-6 took its place` },
    });
    expect(stage.of(newer).promotion.status).toBe('in_progress');
  });

  it('ends one that holds the lock in its preflight, and gives the lock to the next', () => {
    const stage = makeStage({ definition: makeDefinition({ queue: 'latest' }) });
    const older = stage.create({ release: 5 });
    expect(stage.play(older, 'preflight').locks).toHaveLength(2);
    stage.wait(1_000);
    const newer = stage.create({ release: 6 });
    stage.answerAll(older);
    expect(stage.of(older)).toMatchObject({ promotion: { status: 'superseded' }, locks: [] });
    expect(stage.play(newer).promotion.status).toBe('completed');
  });

  it('lets one go on that has begun to deploy', () => {
    const stage = makeStage({ definition: makeDefinition({ queue: 'latest' }) });
    const older = stage.create({ release: 5 });
    stage.play(older, 'deploy');
    stage.wait(1_000);
    const newer = stage.create({ release: 6 });
    expect(stage.play(older).promotion.status).toBe('completed');
    stage.wait(1_000);
    expect(stage.play(newer).promotion.status).toBe('completed');
  });

  it.each([
    ['an older release', { release: 4 }],
    ['a lower priority', { release: 6, priority: 'low' as const }],
  ])('makes no way for %s', (_, wish) => {
    const stage = makeStage({ definition: makeDefinition(SIGNED) });
    const older = stage.create({ release: 5 });
    stage.play(older);
    stage.wait(1_000);
    stage.create(wish);
    stage.look(older);
    expect(stage.of(older).promotion.status).toBe('pending_approval');
  });

  it('makes no way when the newer one has ended before the older one looks', () => {
    const stage = makeStage({ definition: makeDefinition(SIGNED) });
    const older = stage.create({ release: 5 });
    stage.play(older);
    stage.wait(1_000);
    const newer = stage.create({ release: 6 });
    stage.look(newer);
    stage.cancel(newer);
    stage.look(newer);
    expect(stage.of(newer).promotion.status).toBe('cancelled');
    stage.look(older);
    expect(stage.of(older).promotion.status).toBe('pending_approval');
  });

  it('looks by itself at least once a minute, should its wake-up have found its row held', () => {
    const stage = makeStage({ definition: makeDefinition(SIGNED) });
    const older = stage.create({ release: 5 });
    stage.play(older);
    const sleepsMs = (stage.of(older).promotion.nextActionAtMs ?? Number.POSITIVE_INFINITY) - stage.nowMs();
    // Each minute was too often: seeds 485 and 508 of the simulation did nothing else for days.
    expect(sleepsMs).toBe(600_000);
  });

  it('changes nothing with queue: fifo', () => {
    const stage = makeStage({ definition: makeDefinition({ ...SIGNED, queue: 'fifo' }) });
    const older = stage.create({ release: 5 });
    stage.play(older);
    stage.wait(1_000);
    stage.create({ release: 6 });
    expect(stage.of(older)).toMatchObject({ replacement: null, promotion: { status: 'pending_approval' } });
  });
});

describe('doesReplace', () => {
  const side = fc.record({
    id: fc.nat(50).map((n) => makeSeededIds(n).next('prm')),
    createdAtMs: fc.nat(3),
    priority: fc.constantFrom(...PRIORITIES),
    release: fc
      .tuple(fc.nat(3), fc.subarray(['api', 'web', 'worker'], { minLength: 1 }))
      .map(([n, components]) => makeRelease(n + 1, components)),
  });
  const toRival = ({ release, ...promotion }: typeof side extends fc.Arbitrary<infer One> ? One : never) => ({
    promotion: { ...promotion, environment: 'prod', kind: 'promote' as const },
    release,
  });

  it('never goes in a circle: it is irreflexive, asymmetric and transitive', () => {
    fc.assert(
      fc.property(side, side, side, (a, b, c) => {
        const [x, y, z] = [toRival(a), toRival(b), toRival(c)];
        expect(doesReplace(x, x)).toBe(false);
        expect(doesReplace(x, y) && doesReplace(y, x)).toBe(false);
        expect(!(doesReplace(x, y) && doesReplace(y, z)) || doesReplace(x, z)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('wants all components of the older release', () => {
    const id = makeSeededIds(1).next('prm');
    const web = { id, createdAtMs: 1, priority: 'normal', environment: 'prod', kind: 'promote' } as const;
    const older = { promotion: web, release: makeRelease(1, ['api', 'web']) };
    const newer = { promotion: { ...web, createdAtMs: 2 }, release: makeRelease(2, ['web']) };
    expect(doesReplace(newer, older)).toBe(false);
    expect(doesReplace({ ...newer, release: makeRelease(2, ['api', 'web', 'worker']) }, older)).toBe(true);
    expect(doesReplace({ ...newer, promotion: { ...newer.promotion, environment: 'dev' } }, older)).toBe(false);
  });

  it("leaves rollbacks alone, and takes nobody's place by one", () => {
    const own = { id: makeSeededIds(1).next('prm'), createdAtMs: 1, priority: 'normal', environment: 'prod' } as const;
    const older = { promotion: { ...own, kind: 'promote' as const }, release: makeRelease(1) };
    const newer = { promotion: { ...own, createdAtMs: 2, kind: 'promote' as const }, release: makeRelease(2) };
    expect(doesReplace(newer, older)).toBe(true);
    expect(doesReplace(newer, { ...older, promotion: { ...older.promotion, kind: 'rollback' } })).toBe(false);
    expect(doesReplace({ ...newer, promotion: { ...newer.promotion, kind: 'rollback' } }, older)).toBe(false);
  });
});

describe('the hash of a definition', () => {
  it('is what it was before there were queue modes, freezes and concurrency, where these are the defaults', () => {
    const { queue: _fifo, freezes: _none, concurrency: _exclusive, ...before } = makeDefinition();
    expect(definitionHash(makeDefinition())).toBe(digestOf(canonicalJson(before as unknown as Json)));
    const hashes = [{}, { queue: 'latest' as const }, { concurrency: 'per_component' as const }].map((patch) =>
      definitionHash(makeDefinition(patch)),
    );
    expect(new Set(hashes).size).toBe(3);
  });
});
