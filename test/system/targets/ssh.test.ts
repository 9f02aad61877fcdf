/** Promotions onto two hosts over SSH by a real orchestrator: what runs, who is not trusted, and what a killed one leaves there. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adminClient, startServerProcess, waitFor, writeOciLayout } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeClock } from '../../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../../packages/server/src/system/node-file-system.ts';
import { makeTargetHosts } from '../../../packages/server/src/system/target-hosts.ts';
import { makeSecrets } from '../../../packages/server/src/webhooks/read-secret.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  openTarget,
} from '../../../packages/server/test/contract/files-target-fixture.ts';
import {
  describeHealthProgram,
  type HealthHarness,
} from '../../../packages/server/test/contract/health-program.contract.ts';
import { isThere } from '../../../packages/server/test/crash/service-stage.ts';
import {
  createReleases,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../../../packages/server/test/integration/http-fixture.ts';
import { mountSmallDisk } from '../small-disk.ts';
import { findSshd, type SshPrograms, type SshServer, startSshd } from '../sshd.ts';
import { typeLine } from './type-command.ts';

const TIMEOUT_MS = 60_000;
const MEBIBYTE = 1_048_576;
const QUICK = { timeoutMs: 5_000, intervalMs: 100, threshold: 1, deadlineMs: 5_000 };
const programs = findSshd();

if (programs === null) {
  describe('targets on hosts over SSH', () => {
    it.skip('missing component: sshd (tools/install-system-deps.sh installs it)', () => undefined);
  });
} else {
  describe('targets on hosts over SSH', () => {
    describeAll(programs);
  });
}

function describeAll(found: SshPrograms): void {
  describeHealthProgram('files, over SSH', async () => {
    const sshd = await startSshd(found);
    const { port, user, keyFile, fingerprint } = sshd;
    const ssh = { address: '127.0.0.1', port, user, key: `file:${keyFile}`, hostKey: fingerprint };
    const secrets = makeSecrets({ env: {}, fileSystem: nodeFileSystem, clock: nodeClock, directory: sshd.directory });
    const hosts = makeTargetHosts({ secrets, allowedRanges: ['127.0.0.0/8'], home: '/' });
    const place = makeTargetPlace();
    await writeOciLayout(place.layout, [{ tag: '1', files: { 'index.html': 'page 1' } }]);
    const open: HealthHarness['open'] = (health) =>
      openTarget(place, { definition: { host: { ssh }, health }, openHost: hosts.openHost });
    const component = await componentOf(place, '1');
    const command = { kind: 'command', command: ['/bin/true'], ...QUICK } as const;
    await open(command).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
    return {
      open,
      target: 'web',
      component: 'web',
      digest: component.digest,
      root: place.root,
      isHere: false,
      hasSignals: process.getuid?.() !== 0,
      startMs: 3_000,
      remove: async () => {
        hosts.close();
        await sshd.stop();
        place.remove();
      },
    };
  });

  let test: TestServer;
  let env: Readonly<Record<string, string>>;
  const hosts: SshServer[] = [];
  const folder = (): string => join(test.place.directory, 'far');

  beforeAll(async () => {
    hosts.push(await startSshd(found), await startSshd(found));
    const place = await startTestServer();
    await place.server.stop();
    const [key, stranger] = [await read(hosts[0]?.keyFile), await read(hosts[0]?.strangerKeyFile)];
    for (const host of hosts) await host.letIn(`${hosts[0]?.keyFile}.pub`);
    env = { STELLA_SECRET_FAR: key, STELLA_SECRET_STRANGER: stranger };
    const server = await startServerProcess(place.place, { env });
    test = { ...place, server, admin: adminClient(server) };
    await createReleases(test, 4);
    await mkdir(folder());
    // Beside what runs there it tells who has brought it, and waits while it is held.
    await program('bring', 'echo $$ >"$1.pid"; [ ! -e "$1.hold" ] || sleep 1000; printf "%s" "$STELLA_DIGEST" >"$1"');
    await program('tell', '[ ! -e "$1" ] || cat "$1"');
  });
  afterAll(async () => {
    for (const host of hosts) await host.stop();
    await test.remove();
  });

  async function program(name: string, line: string): Promise<void> {
    await writeFile(join(folder(), name), `#!/bin/sh\n${line}\n`);
    await chmod(join(folder(), name), 0o755);
  }
  const read = (path = ''): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const runningAt = (name: string): string => join(folder(), name);

  /** One target per host, with a patch of how the second is reached, and what else each has. */
  async function apply(
    environment: string,
    patch: Readonly<Record<string, string | number>> = {},
    more: (name: string) => object = () => ({}),
  ): Promise<void> {
    const targets = hosts.map((host, index) => {
      const name = `${environment}-${index + 1}`;
      const known = { key: 'env:STELLA_SECRET_FAR', hostKey: host.fingerprint, ...(index === 1 ? patch : {}) };
      const ssh = { address: '127.0.0.1', port: host.port, user: host.user, ...known };
      return {
        name,
        kind: 'command',
        component: 'web',
        host: { ssh },
        deploy: [join(folder(), 'bring'), runningAt(name)],
        observe: [join(folder(), 'tell'), runningAt(name)],
        stateDirectory: join(folder(), `${name}-fence`),
        ...more(name),
      };
    });
    // JSON is YAML.
    const text = JSON.stringify({ kind: 'Environment', name: environment, targets });
    await test.admin.call('applyDefinitions', { body: { documents: [{ file: 'far.yaml', text }] } });
  }
  const promote = async (release: string, environment: string): Promise<string> =>
    (await test.admin.call('createPromotion', { body: { release, environment } })).id;
  const untilCause = (promotion: string, code: string): Promise<void> =>
    waitFor(
      async () => {
        const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion } });
        return causes[0]?.code === code;
      },
      { timeoutMs: TIMEOUT_MS, why: `the diagnosis says ${code}` },
    );

  it('run what was promised, which each host tells itself', async () => {
    await apply('prod');
    await untilStatus(test.admin, await promote('shop-1', 'prod'), 'completed');
    const { items } = await test.admin.call('listArtifacts', { parameters: { environment: 'prod' } });
    for (const name of ['prod-1', 'prod-2']) {
      const observed = await read(runningAt(name));
      expect(items.find((one) => one.target === name)).toMatchObject({ observed, promised: observed, isHealthy: true });
    }
    const shown = await test.admin.call('getEnvironment', { parameters: { environment: 'prod' } });
    expect(shown.targets[0]).toMatchObject({
      kind: 'command',
      host: `${hosts[0]?.user}@127.0.0.1:${hosts[0]?.port}`,
      fence: 'script',
    });
  });

  it('serve the files that were promised, sent and compared there', async () => {
    const targets = hosts.map((host, index) => {
      const ssh = { address: '127.0.0.1', port: host.port, user: host.user, hostKey: host.fingerprint };
      const name = `site-${index + 1}`;
      const reached = { host: { ssh: { ...ssh, key: 'env:STELLA_SECRET_FAR' } } };
      return { name, kind: 'files', component: 'web', ...reached, directory: join(folder(), name) };
    });
    const text = JSON.stringify({ kind: 'Environment', name: 'site', targets });
    await test.admin.call('applyDefinitions', { body: { documents: [{ file: 'site.yaml', text }] } });
    for (const release of ['shop-1', 'shop-2']) {
      await untilStatus(test.admin, await promote(release, 'site'), 'completed');
    }
    const { items } = await test.admin.call('listArtifacts', { parameters: { environment: 'site' } });
    for (const { name, directory } of targets) {
      expect(items.find((one) => one.target === name)).toMatchObject({ isHealthy: true });
      expect(await readdir(join(directory, 'releases'))).toHaveLength(2);
      expect(await readlink(join(directory, 'current'))).toMatch(/^releases\//);
    }
    const shown = await test.admin.call('getEnvironment', { parameters: { environment: 'site' } });
    expect(shown.targets[0]).toMatchObject({
      kind: 'files',
      host: `${hosts[0]?.user}@127.0.0.1:${hosts[0]?.port}`,
      fence: 'script',
    });
  });

  it('keep serving when their disk gets full, and serve the next as soon as there is room', async () => {
    const disk = await mountSmallDisk(join(folder(), 'full'), 4);
    try {
      const [host] = hosts;
      const ssh = { address: '127.0.0.1', port: host?.port, user: host?.user, hostKey: host?.fingerprint };
      const reached = { host: { ssh: { ...ssh, key: 'env:STELLA_SECRET_FAR' } } };
      const target = {
        name: 'full',
        kind: 'files',
        component: 'web',
        ...reached,
        directory: join(disk.directory, 'web'),
      };
      const text = JSON.stringify({ kind: 'Environment', name: 'full', targets: [target] });
      await test.admin.call('applyDefinitions', { body: { documents: [{ file: 'full.yaml', text }] } });
      await untilStatus(test.admin, await promote('shop-1', 'full'), 'completed');
      const layout = join(test.place.layouts, 'large');
      const files = { 'index.html': 'page large', 'large.bin': randomBytes(2 * MEBIBYTE) };
      await writeOciLayout(layout, [{ tag: 'large', files }]);
      const components = [{ name: 'web', artifact: `oci-layout:${layout}:large` }];
      await test.admin.call('createRelease', { body: { name: 'shop-large', components } });
      await writeFile(join(disk.directory, 'filler-1'), Buffer.alloc(3 * MEBIBYTE));
      const id = await promote('shop-large', 'full');
      await untilStatus(test.admin, id, 'rolled_back');
      const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion: id } });
      expect(causes[0]).toMatchObject({ code: 'target.disk_full', confidence: 'certain' });
      expect(await read(join(disk.directory, 'web/current/index.html'))).toBe('page 1');
      expect((await test.admin.call('listLocks', { query: { environment: 'full' } })).items).toEqual([]);
      await disk.free();
      const line = causes[0]?.remedies[0]?.command ?? 'nothing is printed';
      const { id: again } = JSON.parse(await typeLine(test.server, test.place, line)) as { readonly id: string };
      await untilStatus(test.admin, again, 'completed');
      expect(await read(join(disk.directory, 'web/current/index.html'))).toBe('page large');
    } finally {
      await disk.remove();
    }
  });

  it.each([
    ['a host that shows another key', 'target.host_key', () => ({ hostKey: `SHA256:${'A'.repeat(43)}` })],
    ['a host that refuses our key', 'target.credentials', () => ({ key: 'env:STELLA_SECRET_STRANGER' })],
    ['a host that is not there', 'target.unreachable', () => ({ port: 1 })],
  ])('are not touched for %s: the cause is named before anything has changed', async (_what, code, patch) => {
    const environment = code.replace(/^target\./, '').replace('_', '-');
    await apply(environment, patch());
    const id = await promote('shop-1', environment);
    await untilCause(id, code);
    expect([await read(runningAt(`${environment}-1`)), await read(runningAt(`${environment}-2`))]).toEqual(['', '']);
    const verified = await test.admin.call('verifyCredentials', { parameters: { environment } });
    expect(verified.items[0]).toMatchObject({ reference: 'env:STELLA_SECRET_FAR', isResolved: true, isAccepted: true });
    expect(verified.items[1]).toMatchObject({ isAccepted: code === 'target.credentials' ? false : null });
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
    await untilStatus(test.admin, id, 'cancelled');
    await apply(environment);
    await untilStatus(test.admin, await promote('shop-1', environment), 'completed');
  });

  it('are unhealthy when a program of their host says no, and its words are in the diagnosis', async () => {
    // Where one is named, it takes no other digest for well.
    const judge = '[ ! -e "$1.good" ] || [ "$(cat "$1.good")" = "$STELLA_DIGEST" ]';
    await program('look', `${judge} || { echo "the queue of $STELLA_TARGET is full" >&2; exit 4; }`);
    const withHealth = (name: string): object => ({
      health: {
        kind: 'command',
        command: [join(folder(), 'look'), runningAt(name)],
        interval: '100ms',
        deadline: '5s',
      },
    });
    await apply('ill', {}, withHealth);
    await untilStatus(test.admin, await promote('shop-1', 'ill'), 'completed');
    await writeFile(`${runningAt('ill-2')}.good`, await read(runningAt('ill-2')));
    const id = await promote('shop-2', 'ill');
    await untilStatus(test.admin, id, 'rolled_back');
    const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion: id } });
    expect(causes[0]?.code).toBe('target.unhealthy');
    const told = 'look: ended with exit code 4: the queue of ill-2 is full';
    expect(JSON.stringify(causes[0]?.facts)).toContain(told);
    expect(JSON.stringify(causes[0]?.facts)).not.toContain('ill-1 is full');
    await rm(`${runningAt('ill-2')}.good`);
    await untilStatus(test.admin, await promote('shop-2', 'ill'), 'completed');
    const lost = (name: string): object => ({ health: { kind: 'command', command: [join(folder(), `${name}-none`)] } });
    await apply('ill', {}, lost);
    const kept = await read(runningAt('ill-1'));
    const named = await promote('shop-3', 'ill');
    await untilCause(named, 'target.misconfigured');
    expect(await read(runningAt('ill-1'))).toBe(kept);
    await test.admin.call('cancelPromotion', { parameters: { promotion: named }, body: {} });
    await untilStatus(test.admin, named, 'cancelled');
  });

  it('are finished by the next orchestrator, which ends what a killed one has begun there', async () => {
    const [running] = [runningAt('prod-1')];
    await writeFile(`${running}.hold`, '');
    await rm(`${running}.pid`, { force: true });
    const id = await promote('shop-2', 'prod');
    await waitFor(async () => (await read(`${running}.pid`)) !== '', { timeoutMs: TIMEOUT_MS, why: 'it is deployed' });
    const pid = Number(await read(`${running}.pid`));
    await test.server.kill();
    await rm(`${running}.hold`);
    const server = await startServerProcess(test.place, { env });
    test = { ...test, server, admin: adminClient(server) };
    await untilStatus(test.admin, id, 'completed');
    expect(isThere(pid)).toBe(false);
  });
}
