/**
 * A process dies by SIGKILL at each durable step of an operation of a `files` target. What a takeover then does, seal,
 * look up and deploy with a higher fence, must find the truth and leave a whole tree, whatever the step was.
 */
import { execFile } from 'node:child_process';
import type { ReleaseComponent } from '@stella/domain';
import { testProgram, writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FILES_TARGET_FAULT_POINTS,
  FILES_TARGET_REUSE_FAULT_POINTS,
  FILES_TARGET_SEAL_FAULT_POINTS,
} from '../../src/targets/fault-points.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  namesIn,
  openTarget,
  pageIn,
  type TargetPlace,
} from '../contract/files-target-fixture.ts';
import type { ChildOrder } from './files-target-child.ts';

const CHILD_TIMEOUT_MS = 30_000;
/** From these on, the operation that was killed has switched. */
const SWITCHED = FILES_TARGET_FAULT_POINTS.slice(FILES_TARGET_FAULT_POINTS.indexOf('target.files.switched'));

let place: TargetPlace;
const components = new Map<string, ReleaseComponent>();

beforeEach(async () => {
  place = makeTargetPlace();
  const versions = ['one', 'two', 'three'];
  await writeOciLayout(
    place.layout,
    versions.map((tag) => ({ tag, files: { 'index.html': `page ${tag}`, 'style.css': `/* ${tag} */` } })),
  );
  for (const tag of versions) components.set(tag, await componentOf(place, tag));
});
afterEach(() => place.remove());

function component(tag: string): ReleaseComponent {
  const found = components.get(tag);
  if (!found) throw new Error(`no artifact has the tag ${tag}`);
  return found;
}

async function deploy(n: number, tag: string, keepCount = 1): Promise<void> {
  const target = openTarget(place, { definition: { keepCount } });
  const answer = await target.deploy(call(), { epoch: 1, n }, `op-${n}`, component(tag));
  expect(answer).toMatchObject({ outcome: 'succeeded', digest: component(tag).digest });
}

/** Resolves with the signal that ended the child. */
function dieAt(
  order: Omit<ChildOrder, 'root' | 'directory' | 'layout' | 'hit' | 'keepCount'> & { readonly keepCount?: number },
): Promise<string> {
  const { root, directory, layout } = place;
  const whole: ChildOrder = { root, directory, layout, hit: 1, keepCount: 1, ...order };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [testProgram('files-target-child'), JSON.stringify(whole)],
      { timeout: CHILD_TIMEOUT_MS },
      (error, stdout, stderr) => resolve(error?.signal ?? `it went on: ${stdout}${stderr}`),
    );
  });
}

/** As a takeover does it: a seal says what became of the operation, then a deploy with a new fence. */
async function takeOver(tag: string): Promise<unknown> {
  const target = openTarget(place, { definition: { keepCount: 1 } });
  const sealed = await target.seal(call(), { epoch: 1, n: 10 });
  expect(sealed.outcome).toBe('sealed');
  expect(await target.deploy(call(), { epoch: 1, n: 9 }, 'late', component('one'))).toMatchObject({
    outcome: 'refused',
  });
  await deploy(11, tag);
  const { observation } = (await target.observe(call())) as { observation: { digest: string; isHealthy: boolean } };
  expect(observation).toMatchObject({ digest: component(tag).digest, isHealthy: true });
  expect(pageIn(place)).toBe(`page ${tag}`);
  expect(namesIn(place, '.stella', 'staging')).toEqual([]);
  expect(namesIn(place, '.stella', 'trash')).toEqual([]);
  expect(namesIn(place, '.stella').filter((name) => name.startsWith('pending-'))).toEqual([]);
  return sealed;
}

describe('a deploy that is killed', () => {
  it.each(FILES_TARGET_FAULT_POINTS)('at %s leaves what runs whole, and is looked up', async (point) => {
    await deploy(1, 'one');
    await deploy(2, 'two');
    const end = await dieAt({
      verb: 'deploy',
      fence: { epoch: 1, n: 3 },
      operationId: 'killed',
      component: component('three'),
      point,
    });
    expect(end).toBe('SIGKILL');
    const hasSwitched = (SWITCHED as readonly string[]).includes(point);
    expect(pageIn(place)).toBe(hasSwitched ? 'page three' : 'page two');
    const sealed = await takeOver('one');
    const last = { operationId: 'killed', result: hasSwitched ? { outcome: 'succeeded' } : null };
    const wasAccepted = FILES_TARGET_FAULT_POINTS.indexOf(point) >= ACCEPTED_FROM;
    expect(sealed).toMatchObject({ last: wasAccepted ? last : { operationId: 'op-2' } });
  });

  it.each(FILES_TARGET_REUSE_FAULT_POINTS)('at %s, using a tree again, leaves what runs whole', async (point) => {
    await deploy(1, 'one', 3);
    await deploy(2, 'two', 3);
    const end = await dieAt({
      verb: 'deploy',
      fence: { epoch: 1, n: 3 },
      operationId: 'killed',
      component: component('one'),
      keepCount: 3,
      point,
    });
    expect(end).toBe('SIGKILL');
    expect(pageIn(place)).toBe('page two');
    await takeOver('one');
  });
});

/** Before its pair is stored nobody knows of the operation. */
const ACCEPTED_FROM = FILES_TARGET_FAULT_POINTS.indexOf('target.files.fence_stored');

describe('a seal that is killed', () => {
  it.each([...FILES_TARGET_SEAL_FAULT_POINTS, 'target.files.fence_stored', 'target.files.older_links_removed'])(
    'at %s holds all the same when it is repeated',
    async (point) => {
      await deploy(1, 'one');
      const fence = { epoch: 1, n: 5 };
      const end = await dieAt({ verb: 'seal', fence, operationId: '', component: component('one'), point });
      expect(end).toBe('SIGKILL');
      expect(pageIn(place)).toBe('page one');
      await takeOver('two');
    },
  );
});
