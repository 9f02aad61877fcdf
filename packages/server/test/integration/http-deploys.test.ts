/** Deploys of one artifact through the API, and what is told of artifacts and environments. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
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

let test: TestServer;
let bob: Awaited<ReturnType<typeof enrol>>;
let rita: Awaited<ReturnType<typeof enrol>>;
beforeAll(async () => {
  test = await startTestServer();
  await createReleases(test, 3);
  const soak = '- { name: soak, kind: soak, duration: 1s }';
  await applyEnvironments(test, [
    { name: 'dev' },
    { name: 'prod', promotesFrom: ['dev'], gates: ['- { name: sign, kind: approval }', soak] },
  ]);
  bob = await enrol(test, 'bob', 'approver@*');
  rita = await enrol(test, 'rita', 'releaser@*');
});
afterAll(() => test.remove());

const digestOf = async (release: string): Promise<string> => {
  const { components } = await test.admin.call('getRelease', { parameters: { release } });
  return components[0]?.digest ?? '';
};
const refusal = async (token: string, body: object): Promise<unknown> => {
  const answer = await ask(test.server, '/api/v1/deploys', { token, body });
  return { status: answer.status, code: answer.body['code'] };
};
const statusOf = (environment: string) => test.admin.call('getEnvironmentStatus', { parameters: { environment } });

async function approve(promotion: string): Promise<void> {
  await untilStatus(test.admin, promotion, 'pending_approval');
  await bob.client.call('approvePromotion', { parameters: { promotion }, body: {} });
  await untilStatus(test.admin, promotion, 'completed');
}

describe('a deploy', () => {
  it('lets nothing past the predecessors but what an operator forces with a reason, and waits for the approval even so', async () => {
    const artifact = await digestOf('shop-2');
    const wish = { environment: 'prod', artifact };
    expect(await refusal(rita.token, wish)).toEqual({ status: 409, code: 'deploy.not_in_predecessor' });
    expect(await refusal(rita.token, { ...wish, isForced: true, reason: 'x' })).toEqual({
      status: 403,
      code: 'auth.forbidden',
    });
    expect(await refusal(test.server.token, { ...wish, isForced: true })).toEqual({
      status: 400,
      code: 'input.invalid',
    });
    const body = { ...wish, isForced: true, reason: 'cure of the checkout' };
    const forced = await test.admin.call('deployArtifact', { body });
    expect(forced).toMatchObject({ kind: 'deploy', isForced: true });
    expect(forced.release.name).toMatch(/^prod-web-/);
    await approve(forced.id);
    const { items } = await test.admin.call('tracePromotion', { parameters: { promotion: forced.id } });
    expect(items[0]?.data).toMatchObject({ kind: 'deploy', isForced: true, reason: 'cure of the checkout' });
    const detail = await test.admin.call('getPromotion', { parameters: { promotion: forced.id } });
    expect(detail.gates.map((one) => one.gate)).toEqual(['sign']);
  });

  it('passes by itself what completed in the predecessors, in whatever release, and soaks by what runs there', async () => {
    const artifact = await digestOf('shop-3');
    const first = await rita.client.call('deployArtifact', {
      body: { environment: 'dev', artifact: artifact.slice(0, 20) },
    });
    await untilStatus(test.admin, first.id, 'completed');
    const second = await rita.client.call('deployArtifact', { body: { environment: 'prod', artifact } });
    await approve(second.id);
    const { targets, environment } = await statusOf('prod');
    expect(environment).toMatchObject({ state: 'whole', release: { name: second.release.name } });
    expect(targets).toMatchObject([
      {
        target: 'web',
        state: 'as_promised',
        seen: artifact,
        operation: { promotionId: second.id, by: { name: 'rita' } },
      },
    ]);
  });

  it('refuses what no release has, and a component that nothing runs', async () => {
    const none = { environment: 'dev', artifact: `sha256:${'0'.repeat(64)}` };
    expect(await refusal(rita.token, none)).toEqual({ status: 404, code: 'artifact.not_found' });
    const other = { environment: 'dev', artifact: await digestOf('shop-1'), component: 'api' };
    expect(await refusal(rita.token, other)).toEqual({ status: 400, code: 'input.invalid' });
  });
});

describe('an artifact', () => {
  it('is told with its releases and environments, and looked for when it is asked for', async () => {
    const digest = await digestOf('shop-3');
    const get = (query: { check?: 'true' }) =>
      test.admin.call('getArtifact', { parameters: { artifact: digest }, query });
    const plain = await get({});
    expect(plain.sources).toMatchObject([{ isPresent: null }]);
    expect(plain.releases.flatMap((one) => one.environments).sort()).toEqual(['dev', 'prod']);
    expect((await get({ check: 'true' })).sources).toMatchObject([{ isPresent: true }]);
    await rm(join(test.place.layouts, 'blobs', 'sha256', digest.slice('sha256:'.length)));
    const [gone] = (await get({ check: 'true' })).sources;
    expect(gone?.isPresent).toBe(false);
    expect(gone?.message).toContain('registry.artifact_missing');
  });
});

describe('the status of an environment', () => {
  it('says of a target that nothing was done there yet', async () => {
    await applyEnvironments(test, [{ name: 'fresh' }]);
    expect(await statusOf('fresh')).toMatchObject({
      targets: [{ target: 'web', state: 'untouched', operation: null, seen: null }],
      promotions: [],
      locks: [],
    });
  });
});
