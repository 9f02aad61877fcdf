/** `concurrency: per_component` on a real database: side by side, one after another, and never both ways at once. */
import { join } from 'node:path';
import type { PromotionId } from '@stella/domain';
import { writeOciLayout } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationAnswer } from '../../src/ports/target.ts';
import { type Session, transact } from '../../src/store/connection.ts';
import { call, componentOf, openTarget } from '../contract/files-target-fixture.ts';
import { type EngineHand, takeEngineInHand } from './engine-hand.ts';
import { ask, startTestServer, type TestServer } from './http-fixture.ts';

let test: TestServer;
let engine: EngineHand;
beforeAll(async () => {
  test = await startTestServer({}, { role: 'api' });
  engine = await takeEngineInHand(test.place.dataDir);
  await writeOciLayout(test.place.layouts, [{ tag: '1', files: { 'index.html': 'page' } }]);
  const artifact = `oci-layout:${test.place.layouts}:1`;
  const releases = {
    web: ['web'],
    api: ['api'],
    both: ['api', 'web'],
    late: ['web'],
    'api-2': ['api'],
    other: ['worker'],
  };
  for (const [name, components] of Object.entries(releases)) {
    const body = { name, components: components.map((component) => ({ name: component, artifact })) };
    await test.admin.call('createRelease', { body });
  }
});
afterAll(async () => {
  await engine.close();
  await test.remove();
});

const yaml = (name: string, concurrency: string): string =>
  [
    'kind: Environment',
    `name: ${name}`,
    `concurrency: ${concurrency}`,
    'targets:',
    ...['web', 'api'].map(
      (one) => `  - { name: ${one}, kind: files, component: ${one}, directory: ${test.place.targets}/${name}/${one} }`,
    ),
    '',
  ].join('\n');
const apply = (name: string, concurrency: string) =>
  ask(test.server, '/api/v1/apply', { body: { documents: [{ file: 'x.yaml', text: yaml(name, concurrency) }] } });
const create = async (release: string, environment: string): Promise<PromotionId> =>
  // Ids of promotions begin so.
  (await test.admin.call('createPromotion', { body: { release, environment } })).id as PromotionId;
const isIn = (step: string) => (decision: { promotion: { step: string } }) => decision.promotion.step === step;
const isDone = (decision: { promotion: { status: string } }) => decision.promotion.status === 'completed';

describe('promotions of disjoint components', () => {
  it('hold their locks at the same time, touch only their targets, and leave each component with its release', async () => {
    expect(await apply('both', 'per_component')).toMatchObject({ status: 200 });
    const [web, api] = [await create('web', 'both'), await create('api', 'both')];
    const first = await engine.until(web, isIn('deploy'));
    expect(first.effects.map((one) => one.subject)).toEqual(['web']);
    const second = await engine.until(api, isIn('deploy'));
    expect(second.effects.map((one) => one.subject)).toEqual(['api']);
    const { items } = await test.admin.call('listLocks', { query: { environment: 'both' } });
    const places = items.map((one) => one.resource).filter((resource) => resource.startsWith('environment:'));
    expect(places.sort()).toEqual(['environment:both/api', 'environment:both/web']);

    await engine.until(web, isDone);
    await engine.until(api, isDone);
    const environment = await test.admin.call('getEnvironment', { parameters: { environment: 'both' } });
    expect(environment).toMatchObject({ release: null, state: 'whole', concurrency: 'per_component' });
    expect(environment.components.map((one) => [one.component, one.release?.name])).toEqual([
      ['api', 'api'],
      ['web', 'web'],
    ]);
  });
});

describe('promotions that share a component', () => {
  it('come one after another; who comes last is overtaken when it is older', async () => {
    await apply('shared', 'per_component');
    const [both, web] = [await create('both', 'shared'), await create('web', 'shared')];
    const holder = await engine.until(both, isIn('preflight'));
    expect(holder.takenLocks.map((lock) => lock.resource).filter((one) => one.startsWith('environment:'))).toEqual([
      'environment:shared/api',
      'environment:shared/web',
    ]);
    const waiting = await engine.until(web, isIn('acquire_locks'));
    expect(waiting.takenLocks).toEqual([]);
    await engine.until(both, isDone);
    expect((await engine.tick(web))?.promotion).toMatchObject({ status: 'superseded' });
  });
});

describe('a release without any component of the environment, or with only some of an exclusive one', () => {
  it('may not enter', async () => {
    await apply('strict', 'exclusive');
    const some = { body: { release: 'web', environment: 'strict' } };
    expect(await ask(test.server, '/api/v1/promotions', some)).toMatchObject({ status: 400 });
    await apply('open', 'per_component');
    const none = { body: { release: 'other', environment: 'open' } };
    expect(await ask(test.server, '/api/v1/promotions', none)).toMatchObject({ status: 400 });
  });
});

describe('another concurrency', () => {
  it('is refused while a lock is held there, and taken afterwards', async () => {
    await apply('switched', 'per_component');
    const web = await create('web', 'switched');
    await engine.until(web, isIn('preflight'));
    expect(await apply('switched', 'exclusive')).toMatchObject({ status: 409, body: { code: 'apply.locks_live' } });
    await engine.until(web, isDone);
    expect(await apply('switched', 'exclusive')).toMatchObject({ status: 200 });
    const both = await create('both', 'switched');
    const taken = await engine.until(both, isIn('preflight'));
    expect(taken.takenLocks.map((lock) => lock.resource)).toContain('environment:switched');
    await engine.until(both, isDone);
    const environment = await test.admin.call('getEnvironment', { parameters: { environment: 'switched' } });
    expect(environment).toMatchObject({ release: { name: 'both' }, state: 'whole' });
  });

  it('ends a promotion that carries only some of the components, once it comes to its locks', async () => {
    await apply('narrowed', 'per_component');
    const web = await create('web', 'narrowed');
    await apply('narrowed', 'exclusive');
    const decision = await engine.until(web, ({ promotion }) => promotion.endedAtMs !== null);
    expect(decision.promotion.ending?.code).toBe('promotion.components_missing');
  });
});

describe('a lock of the whole environment and one of a component', () => {
  it.each([
    ['environment:walled', 'environment:walled/web'],
    ['environment:walled/web', 'environment:walled'],
  ])('exclude one another in the database itself: %s, then %s', async (held, wanted) => {
    await apply('walled', 'per_component');
    const holder = await create('late', 'walled');
    const other = await create('api', 'walled');
    const insert = (session: Session, resource: string, promotion: string) =>
      session.rows(
        {
          name: 'lock_by_hand',
          text: `insert into locks (id, resource, mode, promotion_id, fence_epoch, fence_n, acquired_at)
            values ('lck_' || $1 || $2, $1, 'exclusive', $2, 1, 1, now())`,
        },
        [resource, promotion],
      );
    // Nothing of it stays: no event tells of these locks.
    const both = transact(engine.database, async (session) => {
      await insert(session, held, holder);
      await insert(session, wanted, other);
    });
    await expect(both).rejects.toMatchObject({ code: 'ST001' });
    for (const promotion of [holder, other]) {
      await test.admin.call('cancelPromotion', { parameters: { promotion }, body: {} });
      await engine.until(promotion, ({ promotion: { endedAtMs } }) => endedAtMs !== null);
    }
  });
});

describe('two promotions at work on the files targets of one environment', () => {
  /** The operation that a promotion has under way, carried out by whoever holds it, late or not. */
  const deployOf = async (id: PromotionId): Promise<() => Promise<OperationAnswer>> => {
    const [attempt] = (await engine.until(id, isIn('deploy'))).effects;
    if (!attempt?.fence) throw new Error('nothing is deployed');
    const { subject, fence, operationId } = attempt;
    const directory = join(test.place.targets, 'files', subject);
    const place = { root: test.place.targets, layout: test.place.layouts, directory };
    const component = { ...(await componentOf(place, '1')), name: subject };
    return () =>
      openTarget(place, { definition: { name: subject, component: subject } }).deploy(
        call(),
        fence,
        operationId,
        component,
      );
  };

  it('go on in any order, for each target keeps a fence of its own; who lost its lock is refused, the other is not', async () => {
    await apply('files', 'per_component');
    const [web, api] = [await create('web', 'files'), await create('api', 'files')];
    const [deployWeb, deployApi] = [await deployOf(web), await deployOf(api)];
    // The later fence comes first.
    expect(await deployApi()).toMatchObject({ outcome: 'succeeded' });
    expect(await deployWeb()).toMatchObject({ outcome: 'succeeded' });
    for (const id of [api, web]) await engine.until(id, isDone);

    const [newer, beside] = [await create('late', 'files'), await create('api-2', 'files')];
    const [deployNewer, deployBeside] = [await deployOf(newer), await deployOf(beside)];
    const { items } = await test.admin.call('listLocks', { query: { environment: 'files' } });
    const lock = items.find((one) => one.resource === 'environment:files/web')?.id ?? '';
    const released = await test.admin.call('releaseLock', {
      parameters: { lock },
      body: { force: true, reason: 'stuck' },
    });
    expect(released.seals.map((one) => [one.target, one.isSealed])).toEqual([['web', true]]);

    expect(await deployNewer()).toMatchObject({ outcome: 'refused' });
    // Its fence is older than the seal's, which is none of its business.
    expect(await deployBeside()).toMatchObject({ outcome: 'succeeded' });
    await engine.until(beside, isDone);
    const { components } = await test.admin.call('getEnvironment', { parameters: { environment: 'files' } });
    expect(components.map((one) => [one.component, one.release?.name, one.state])).toEqual([
      ['api', 'api-2', 'whole'],
      ['web', 'web', 'unknown'],
    ]);
  });
});

describe('two promotions that end in the same moment', () => {
  it('leave each its own component: neither writes an older copy of the other', async () => {
    await apply('ends', 'per_component');
    const ids = [await create('web', 'ends'), await create('api', 'ends')] as const;
    for (const id of ids) await engine.until(id, isIn('verify'));
    const [first, second] = await Promise.all(ids.map((id) => engine.tick(id)));
    expect([first?.promotion.status, second?.promotion.status]).toEqual(['completed', 'completed']);
    const { components, state } = await test.admin.call('getEnvironment', { parameters: { environment: 'ends' } });
    expect(components.map((one) => [one.component, one.release?.name])).toEqual([
      ['api', 'api'],
      ['web', 'web'],
    ]);
    expect(state).toBe('whole');
  });
});

describe('a place of one component', () => {
  it('is not given to another one while a promotion lives that knows it as the former one', async () => {
    await apply('places', 'per_component');
    const web = await create('web', 'places');
    const text = yaml('places', 'per_component').replace('component: web', 'component: api');
    const exchange = () => ask(test.server, '/api/v1/apply', { body: { documents: [{ file: 'x.yaml', text }] } });
    expect(await exchange()).toMatchObject({ status: 409, body: { code: 'apply.in_use' } });
    await engine.until(web, isDone);
    expect(await exchange()).toMatchObject({ status: 200 });
  });
});
