/** A target that is ahead of the database (`fence.behind`), and `orch fence raise`, on a real server with a real target. */
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

const TIMEOUT_MS = 30_000;

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer();
  await applyEnvironments(test, [{ name: 'lost' }, { name: 'behind' }, { name: 'held', gates: [] }]);
  await createReleases(test, 2);
});
afterAll(() => test.remove());

/** As a target remembers an operation that a database ordered before it lost what it knew. */
async function holdAtTarget(environment: string, pair: string, content: string): Promise<void> {
  const fences = join(test.place.targets, environment, '.stella', 'fences');
  await mkdir(fences, { recursive: true });
  await symlink(content, join(fences, `${pair}.0`));
}

async function promote(release: string, environment: string): Promise<string> {
  return (await test.admin.call('createPromotion', { body: { release, environment } })).id;
}

const promotion = (id: string) => test.admin.call('getPromotion', { parameters: { promotion: id } });
const environment = (name: string) => test.admin.call('getEnvironment', { parameters: { environment: name } });

async function untilStopped(id: string): Promise<void> {
  await waitFor(async () => /fence\.behind/.test((await promotion(id)).steps.map((run) => run.message).join()), {
    timeoutMs: TIMEOUT_MS,
    why: `${id} waits because its environment is stopped`,
  });
}

describe('a target that holds an operation which the database lost', () => {
  it('stops the environment; nothing is deployed and no lock is held until the fence is raised, then all goes on', async () => {
    await untilStatus(test.admin, await promote('shop-1', 'lost'), 'completed');
    await holdAtTarget('lost', '1.900', 'operation:prm_lost.deploy.web.1');
    const id = await promote('shop-2', 'lost');
    await untilStopped(id);
    const seen = await promotion(id);
    expect(seen).toMatchObject({ status: 'in_progress', step: 'acquire_locks', locks: [] });
    expect(seen.attempts.filter((attempt) => attempt.purpose === 'deploy')).toEqual([]);
    expect(seen.stop).toMatchObject({
      target: 'web',
      fence: '1.900',
      operationId: 'prm_lost.deploy.web.1',
      lacks: 'operation',
      cure: 'stella orch fence raise --env lost',
    });
    expect((await environment('lost')).stop).toEqual(seen.stop);

    const dry = await test.admin.call('raiseFence', {
      parameters: { environment: 'lost' },
      body: { dryRun: true, reason: '' },
    });
    expect(dry).toMatchObject({ held: '1.900', wasStopped: true, seals: [], dryRun: true });
    expect((await environment('lost')).stop).not.toBeNull();
    const raised = await test.admin.call('raiseFence', {
      parameters: { environment: 'lost' },
      body: { dryRun: false, reason: 'restored' },
    });
    expect(raised).toMatchObject({ held: '1.900', wasStopped: true, seals: [{ target: 'web', isSealed: true }] });
    expect(Number(raised.fence.split('.')[0])).toBe(2);
    await untilStatus(test.admin, id, 'completed');
    const done = await promotion(id);
    expect(done.attempts.find((attempt) => attempt.purpose === 'deploy')?.fence).toMatch(/^2\./);
    expect(await environment('lost')).toMatchObject({ state: 'whole', stop: null, release: { name: 'shop-2' } });
  });
});

describe('a target that holds a fence newer than any that the database drew', () => {
  it('stops the environment, and what it runs is unknown after the raise', async () => {
    const { installationEpoch } = await test.admin.call('getOrchestrator');
    await holdAtTarget('behind', `${installationEpoch + 3}.1`, 'sealed');
    const id = await promote('shop-1', 'behind');
    await untilStopped(id);
    expect((await promotion(id)).stop).toMatchObject({ lacks: 'fence', operationId: null });
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: { reason: '' } });
    await untilStatus(test.admin, id, 'cancelled');
    const raise = { parameters: { environment: 'behind' }, body: { dryRun: false, reason: '' } };
    expect(await test.admin.call('raiseFence', raise)).toMatchObject({ held: `${installationEpoch + 3}.1` });
    expect((await test.admin.call('getOrchestrator')).installationEpoch).toBe(installationEpoch + 4);
    expect(await environment('behind')).toMatchObject({ state: 'unknown', stop: null });
    // Again, of an environment that is not stopped: allowed, and above what is held now.
    expect(await test.admin.call('raiseFence', raise)).toMatchObject({ wasStopped: false });
  });
});

describe('raising a fence', () => {
  const raise = (name: string, token?: string) =>
    ask(test.server, `/api/v1/environments/${name}/fence/raise`, {
      body: { reason: '', dryRun: false },
      ...(token === undefined ? {} : { token }),
    });

  it('is for admins only', async () => {
    const { token } = await enrol(test, 'olga', 'operator@*', 'releaser@*', 'approver@*');
    expect(await raise('held', token)).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    expect(await raise('nowhere')).toMatchObject({ status: 404, body: { code: 'environment.not_found' } });
  });

  it('is refused with fence.unreadable while a target does not say what it holds', async () => {
    const directory = join(test.place.targets, 'held');
    await rm(directory, { recursive: true, force: true });
    await symlink('/dev/null', directory);
    const answer = await raise('held');
    await rm(directory);
    expect(answer).toMatchObject({ status: 503, body: { code: 'fence.unreadable' } });
  });
});
