/** The kind `docker` on an engine that is reached over a real sshd: the contract, and what happens on the way. */
import { join } from 'node:path';
import type { Fence, ReleaseComponent, SshHostDefinition } from '@stella/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeTarget } from '../../../packages/server/test/contract/target.contract.ts';
import type { TargetCall } from '../../../packages/server/src/ports/target.ts';
import { nodeClock } from '../../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../../packages/server/src/system/node-file-system.ts';
import { makeTargetHosts, type TargetHosts } from '../../../packages/server/src/system/target-hosts.ts';
import { makeSecrets } from '../../../packages/server/src/webhooks/read-secret.ts';
import { findSshd, type SshServer, startSshd } from '../sshd.ts';
import {
  CALL_TIMEOUT_MS,
  dockerHarness,
  type DockerWorld,
  findComponents,
  makeDockerWorld,
  type TargetWish,
} from './docker-world.ts';
import { makeGate, pausedBefore } from './docker-workers.ts';

const components = findComponents();
const programs = findSshd();

if (components === null || programs === null) {
  describe('docker targets over SSH', () => {
    it.skip('missing component: docker.io, docker-registry, busybox-static or sshd (tools/install-system-deps.sh)', () =>
      undefined);
  });
} else {
  let world: DockerWorld;
  let sshd: SshServer;
  let hosts: TargetHosts;
  let first: ReleaseComponent;
  let second: ReleaseComponent;
  let count = 0;
  const nextName = (): string => {
    count += 1;
    return `far-${count}`;
  };
  const openHosts = (): TargetHosts =>
    makeTargetHosts({
      secrets: makeSecrets({ env: {}, fileSystem: nodeFileSystem, clock: nodeClock, directory: sshd.directory }),
      allowedRanges: ['127.0.0.0/8'],
      home: '/',
    });
  /** With the health check of the image, and an engine that this machine would not allow. */
  const wish = (through: TargetHosts = hosts, patch: Partial<SshHostDefinition> = {}): TargetWish => ({
    openHost: through.openHost,
    engineSocket: '/run/none.sock',
    definition: {
      host: {
        ssh: {
          address: '127.0.0.1',
          port: sshd.port,
          user: sshd.user,
          key: `file:${sshd.keyFile}`,
          hostKey: sshd.fingerprint,
          ...patch,
        },
      },
      health: { kind: 'container', intervalMs: 100, deadlineMs: CALL_TIMEOUT_MS },
    },
  });
  beforeAll(async () => {
    [world, sshd] = await Promise.all([makeDockerWorld(components), startSshd(programs)]);
    hosts = openHosts();
    const healthCheck = { test: ['CMD', '/bin/busybox', 'true'], intervalMs: 100, retries: 1 };
    first = await world.publish({ tag: '1', args: ['sleep', '3600'], healthCheck });
    second = await world.publish({ tag: '2', args: ['sleep', '3600'], healthCheck });
  });
  afterAll(async () => {
    hosts.close();
    await sshd.stop();
    await world.close();
  });

  describeTarget('docker over SSH', () => Promise.resolve(dockerHarness(world, nextName(), [first, second], wish())));

  describe('a docker target over SSH', () => {
    it('is probed along the whole way to its engine', async () => {
      const probe = await world.open(nextName(), wish()).probe(call());
      expect(probe.stages.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
        'dns ok',
        'tcp ok',
        'host_key ok',
        'auth ok',
        'engine ok',
        'version ok',
        'disk ok',
        'fence ok',
      ]);
    });

    it('is put in order after its connection was cut in the middle of a switch', async () => {
      const name = nextName();
      const own = openHosts();
      await world.open(name, wish()).deploy(call(), at(1), 'op-1', first);
      const gate = makeGate();
      const cut = world
        .open(name, { ...wish(own), openEngine: pausedBefore('rename', gate) })
        .deploy(call(), at(2), 'op-2', second);
      await gate.reached;
      own.close();
      gate.open();
      expect(await cut).toMatchObject({ outcome: 'errored' });
      const target = world.open(name, wish());
      expect(await target.observe(call())).toMatchObject({ observation: { isHealthy: false } });
      expect(await target.deploy(call(), at(3), 'op-3', second)).toMatchObject({ outcome: 'succeeded' });
      expect(await target.observe(call())).toMatchObject({ observation: { digest: second.digest, isHealthy: true } });
    });

    it('is cut off from the engine by a newer seal', async () => {
      const name = nextName();
      await world.open(name, wish()).deploy(call(), at(1), 'op-1', first);
      const gate = makeGate();
      const old = world
        .open(name, { ...wish(), openEngine: pausedBefore('stop', gate) })
        .deploy(call(), at(2), 'op-2', second);
      await gate.reached;
      const target = world.open(name, wish());
      expect(await target.seal(call(), at(3))).toMatchObject({ outcome: 'sealed', last: { operationId: 'op-2' } });
      gate.open();
      expect(await old).toMatchObject({ outcome: 'refused', held: at(3) });
      expect(await target.observe(call())).toMatchObject({ observation: { digest: first.digest, isHealthy: true } });
    });

    it.each([
      ['its host shows another key', 'target.host_key', () => ({ hostKey: `SHA256:${'b'.repeat(43)}` })],
      ['its host does not take ours', 'target.credentials', () => ({ key: `file:${sshd.strangerKeyFile}` })],
      ['nobody listens there', 'target.unreachable', () => ({ port: 1 })],
    ])('changes nothing while %s, as %s', async (_why, code, patch) => {
      const target = world.open(nextName(), wish(hosts, patch()));
      expect(await target.probe(call())).toMatchObject({ code });
      expect(await target.deploy(call(), at(1), 'op-1', first)).toMatchObject({ code });
      expect(await target.observe(call())).toMatchObject({ code });
    });

    it('says target.engine_down of a socket where no engine is', async () => {
      const { definition, ...rest } = wish();
      const socket = join(world.root, 'none.sock');
      const target = world.open(nextName(), { ...rest, definition: { ...definition, socket } });
      expect(await target.probe(call())).toMatchObject({ outcome: 'errored', code: 'target.engine_down' });
    });
  });
}

const at = (n: number): Fence => ({ epoch: 1, n });
const call = (): TargetCall => ({ signal: new AbortController().signal, timeoutMs: CALL_TIMEOUT_MS });
