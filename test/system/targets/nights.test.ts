/**
 * Promotions onto two containers of Debian's engine by a real orchestrator, and what goes wrong between approval and deploy or
 * in the middle of it: what is named first, what was changed, and that the printed remedy leads to a completed promotion.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer, Client } from '@stella/contract/client';
import { type DockerRegistry, findProgram, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  enrol,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../../../packages/server/test/integration/http-fixture.ts';
import {
  CALL_TIMEOUT_MS,
  type DockerComponents,
  type DockerWorld,
  findComponents,
  makeDockerWorld,
} from './docker-world.ts';
import { typeLine } from './type-command.ts';

/** The container heeds no SIGTERM, so a switch of it stands still for so long in its middle. */
const STOP_TIMEOUT = '4s';
const found = findComponents();
const htpasswd = findProgram('htpasswd');

if (found === null || htpasswd === null) {
  describe('promotions at night', () => {
    it.skip('missing component: docker.io, docker-registry, busybox-static or apache2-utils (tools/install-system-deps.sh)', () =>
      undefined);
  });
} else {
  describe('promotions at night', () => {
    describeAll(found, htpasswd);
  });
}

function describeAll(components: DockerComponents, htpasswdProgram: string): void {
  let world: DockerWorld;
  let registry: DockerRegistry;
  let test: TestServer;
  let approver: Client;
  let password = '';
  const secretFile = (): string => join(world.root, 'secrets', 'registry');

  beforeAll(async () => {
    world = await makeDockerWorld(components);
    await mkdir(join(world.root, 'secrets'));
    await changePassword();
    await giveSecret();
    registry = await world.closedRegistry(join(world.root, 'htpasswd'));
    test = await startTestServer({
      STELLA_ENGINE_SOCKETS: world.engine.socket,
      STELLA_TARGET_DIRECTORIES: world.root,
      STELLA_COMMAND_DIRECTORIES: world.root,
      STELLA_SECRETS_DIRECTORY: join(world.root, 'secrets'),
      STELLA_PRECHECK_INTERVAL: '1s',
    });
    approver = (await enrol(test, 'bob', 'approver@*')).client;
    const login = { username: 'ci', password: `file:${secretFile()}`, plainHttp: true };
    // Where it is told so, it takes one digest on one target for ill.
    const look = join(world.root, 'look');
    await writeFile(look, '#!/bin/sh\n[ "$(cat "$0.ill")" != "$STELLA_TARGET $STELLA_DIGEST" ]\n', { mode: 0o755 });
    await writeFile(`${look}.ill`, '');
    const health = { kind: 'command', command: [look], interval: '100ms', deadline: '2s' };
    await apply([
      { kind: 'Registry', host: registry.address, ...login },
      environment('prod', { stopTimeout: '0s' }),
      environment('pair', { stopTimeout: '0s', health }, { gates: [] }),
      environment('slow', { stopTimeout: STOP_TIMEOUT }, { onFailure: 'hold', gates: [] }),
    ]);
    for (const tag of ['1', '2', '3', '4']) await release(tag, ['sleep', '3600']);
    await release('ill', ['cat', '/etc/missing']);
  });
  afterAll(async () => {
    await test.remove();
    await registry.stop();
    await world.close();
  });

  /** The registry counts it from the next request on. */
  async function changePassword(): Promise<void> {
    password = randomBytes(12).toString('hex');
    const entry = execFileSync(htpasswdProgram, ['-Bin', 'ci'], { input: password, stdio: ['pipe', 'pipe', 'ignore'] });
    await writeFile(join(world.root, 'htpasswd'), entry);
  }
  const giveSecret = (): Promise<void> => writeFile(secretFile(), password, { mode: 0o600 });

  function environment(name: string, more: object, rest: object = {}): object {
    const targets = ['1', '2'].map((number) => ({
      name: `${name}-${number}`,
      kind: 'docker',
      component: 'web',
      socket: world.engine.socket,
      network: 'none',
      stateDirectory: join(world.root, 'state', `${name}-${number}`),
      ...more,
    }));
    const strategy = { kind: 'rolling', maxUnavailable: 1 };
    return { kind: 'Environment', name, gates: [{ name: 'sign', kind: 'approval' }], targets, strategy, ...rest };
  }

  async function apply(documents: readonly object[]): Promise<void> {
    // JSON is YAML.
    const files = documents.map((document, index) => ({ file: `${index}.yaml`, text: JSON.stringify(document) }));
    await test.admin.call('applyDefinitions', { body: { documents: files } });
  }

  async function release(tag: string, args: readonly string[]): Promise<void> {
    await world.publish({ tag, args });
    const artifact = `${registry.address}/shop/web:${tag}`;
    await test.admin.call('createRelease', { body: { name: `shop-${tag}`, components: [{ name: 'web', artifact }] } });
  }

  const promote = async (name: string, into: string): Promise<string> =>
    (await test.admin.call('createPromotion', { body: { release: name, environment: into } })).id;
  const status = (promotion: string): Promise<Answer<'getPromotion'>> =>
    test.admin.call('getPromotion', { parameters: { promotion } });
  const diagnose = (promotion: string): Promise<Answer<'diagnosePromotion'>> =>
    test.admin.call('diagnosePromotion', { parameters: { promotion } });
  const runs = async (promotion: string): Promise<string> =>
    (await status(promotion)).targets.map((one) => `${one.name} ${one.runs}`).join(', ');
  const containerOf = async (name: string): Promise<string> => (await world.inspect(name))?.Id ?? 'none';
  const containers = (name: string): Promise<readonly string[]> =>
    Promise.all([containerOf(`${name}-1`), containerOf(`${name}-2`)]);
  const locks = async (name: string): Promise<readonly unknown[]> =>
    (await test.admin.call('listLocks', { query: { environment: name } })).items;

  async function approve(promotion: string): Promise<void> {
    await untilStatus(test.admin, promotion, 'pending_approval');
    await approver.call('approvePromotion', { parameters: { promotion }, body: {} });
  }

  /** What the environment is said to run, and what each of its targets itself says. */
  async function expectRunning(name: string, tag: string): Promise<void> {
    const shown = await test.admin.call('getEnvironment', { parameters: { environment: name } });
    expect(shown.release?.name).toBe(`shop-${tag}`);
    const { items } = await test.admin.call('listArtifacts', { parameters: { environment: name } });
    for (const { observed, promised, isHealthy } of items) {
      expect({ observed, isHealthy }).toEqual({ observed: promised, isHealthy: true });
    }
    expect(await locks(name)).toEqual([]);
  }

  const type = (line: string | null | undefined): Promise<string> =>
    typeLine(test.server, test.place, line ?? 'nothing is printed');

  /** Types the first remedy of the first cause, and answers the promotion that it makes. */
  async function remedy(promotion: string): Promise<string> {
    const [cause] = (await diagnose(promotion)).causes;
    // The command's own form.
    return (JSON.parse(await type(cause?.remedies[0]?.command)) as { readonly id: string }).id;
  }

  it('roll one target after the other', async () => {
    const id = await promote('shop-1', 'prod');
    await approve(id);
    await untilStatus(test.admin, id, 'completed');
    expect((await status(id)).targets.map(({ batch }) => batch)).toEqual([1, 2]);
    await expectRunning('prod', '1');
  });

  it('touch nothing when the login of the registry has expired since the approval, and complete with the new one', async () => {
    const id = await promote('shop-2', 'prod');
    await untilStatus(test.admin, id, 'pending_approval');
    const before = await containers('prod');
    await changePassword();
    await approve(id);
    await untilStatus(test.admin, id, 'failed');
    expect((await status(id)).ending).toMatchObject({ code: 'preflight.failed' });
    const [cause] = (await diagnose(id)).causes;
    expect(cause).toMatchObject({ code: 'registry.credentials', confidence: 'certain' });
    const text = cause?.remedies[0]?.text ?? '';
    expect(text).toContain('the secret that it names');
    expect([await containers('prod'), await locks('prod')]).toEqual([before, []]);
    expect(await runs(id)).toBe('prod-1 old, prod-2 old');
    await giveSecret();
    await type(text.split('check it with: ')[1]);
    const again = await remedy(id);
    await approve(again);
    await untilStatus(test.admin, again, 'completed');
    await expectRunning('prod', '2');
  });

  it('touch nothing when the artifact was deleted since the approval, and complete when it was pushed again', async () => {
    const id = await promote('shop-3', 'prod');
    await untilStatus(test.admin, id, 'pending_approval');
    const before = await containers('prod');
    const digest = (await status(id)).components[0]?.digest ?? '';
    const url = `http://${world.registry().address}/v2/shop/web/manifests/${digest}`;
    const gone = await fetch(url, { method: 'DELETE', signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    expect(gone.status).toBe(202);
    await approve(id);
    await untilStatus(test.admin, id, 'failed');
    expect((await diagnose(id)).causes[0]).toMatchObject({ code: 'registry.artifact_missing' });
    expect([await containers('prod'), await locks('prod')]).toEqual([before, []]);
    await world.publish({ tag: '3', args: ['sleep', '3600'] });
    const again = await remedy(id);
    await approve(again);
    await untilStatus(test.admin, again, 'completed');
    await expectRunning('prod', '3');
  });

  it('stop at the first target that is not well, and bring back there what ran before', async () => {
    const [, untouched] = await containers('prod');
    const id = await promote('shop-ill', 'prod');
    await approve(id);
    await untilStatus(test.admin, id, 'rolled_back');
    expect((await diagnose(id)).causes[0]).toMatchObject({ code: 'target.unhealthy' });
    expect(await runs(id)).toBe('prod-1 old, prod-2 old');
    expect((await status(id)).targets.map(({ state }) => state)).toEqual(['restored', 'untouched']);
    expect((await containers('prod'))[1]).toBe(untouched);
    await expectRunning('prod', '3');
  });

  it('bring back both targets when the second is not well with what the first already runs', async () => {
    await untilStatus(test.admin, await promote('shop-1', 'pair'), 'completed');
    const second = await test.admin.call('getRelease', { parameters: { release: 'shop-2' } });
    await writeFile(join(world.root, 'look.ill'), `pair-2 ${second.components[0]?.digest}`);
    const id = await promote('shop-2', 'pair');
    await untilStatus(test.admin, id, 'rolled_back');
    expect((await diagnose(id)).causes[0]).toMatchObject({ code: 'target.unhealthy' });
    expect((await status(id)).targets.map(({ state }) => state)).toEqual(['restored', 'restored']);
    await expectRunning('pair', '1');
    await writeFile(join(world.root, 'look.ill'), '');
    await untilStatus(test.admin, await promote('shop-2', 'pair'), 'completed');
    await expectRunning('pair', '2');
  });

  it('wait for one another in the same environment, and say for whom', async () => {
    await untilStatus(test.admin, await promote('shop-1', 'slow'), 'completed');
    const first = await promote('shop-2', 'slow');
    await waitFor(async () => (await locks('slow')).length > 0, { timeoutMs: CALL_TIMEOUT_MS, why: 'it has the lock' });
    const second = await promote('shop-3', 'slow');
    await waitFor(async () => (await diagnose(second)).causes[0]?.code === 'lock.held', {
      timeoutMs: CALL_TIMEOUT_MS,
      why: 'the second waits',
    });
    expect(JSON.stringify((await diagnose(second)).causes[0])).toContain(first);
    await untilStatus(test.admin, first, 'completed');
    await untilStatus(test.admin, second, 'completed');
    await expectRunning('slow', '3');
  });

  it('name the engine that was killed in the middle of a switch, and complete when it runs again', async () => {
    const id = await promote('shop-4', 'slow');
    const filters = encodeURIComponent(JSON.stringify({ label: ['dev.stella.target=slow-1'] }));
    const isSwitching = async (): Promise<boolean> => {
      const list = await world.ask('GET', `/containers/json?all=true&filters=${filters}`);
      // The engine's own list: the new one is made, the old one is being stopped.
      return (JSON.parse(list) as readonly unknown[]).length === 2;
    };
    await waitFor(isSwitching, { timeoutMs: CALL_TIMEOUT_MS, why: 'the first target is in the middle of its switch' });
    await world.engine.kill();
    await untilStatus(test.admin, id, 'failed');
    expect((await diagnose(id)).causes[0]).toMatchObject({ code: 'target.engine_down' });
    expect(await runs(id)).toBe('slow-1 unknown, slow-2 old');
    expect(await locks('slow')).toEqual([]);
    await world.engine.restart();
    await untilStatus(test.admin, await remedy(id), 'completed');
    await expectRunning('slow', '4');
  });
}
