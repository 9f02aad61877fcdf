/** The kind `docker` on Debian's engine: the contract of targets, and what is its own. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fence, ReleaseComponent } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeDockerEngine } from '../../../packages/server/test/contract/docker-engine.contract.ts';
import { describeHealthProgram } from '../../../packages/server/test/contract/health-program.contract.ts';
import { describeTarget } from '../../../packages/server/test/contract/target.contract.ts';
import type { OperationAnswer, TargetCall } from '../../../packages/server/src/ports/target.ts';
import { openDockerEngine } from '../../../packages/server/src/system/docker-engine.ts';
import { makeLocalHost } from '../../../packages/server/src/system/local-host.ts';
import {
  CALL_TIMEOUT_MS,
  type DockerComponents,
  dockerHarness,
  type DockerWorld,
  findComponents,
  makeDockerWorld,
  replaceBy,
  SECRET,
} from './docker-world.ts';
import { cutAt, makeGate, ofApi, pausedBefore } from './docker-workers.ts';

const components = findComponents();

if (components === null) {
  describe('docker targets', () => {
    it.skip('missing component: docker.io, docker-registry or busybox-static (tools/install-system-deps.sh)', () =>
      undefined);
  });
} else {
  describeAll(components);
}

const at = (n: number): Fence => ({ epoch: 1, n });
const call = (signal: AbortSignal = new AbortController().signal): TargetCall => ({
  signal,
  timeoutMs: CALL_TIMEOUT_MS,
});

function describeAll(found: DockerComponents): void {
  let world: DockerWorld;
  let first: ReleaseComponent;
  let second: ReleaseComponent;
  let count = 0;
  const nextName = (): string => {
    count += 1;
    return `web-${count}`;
  };
  const deploy = (
    name: string,
    n: number,
    component: ReleaseComponent,
    wish: Parameters<DockerWorld['open']>[1] = {},
  ): Promise<OperationAnswer> => world.open(name, wish).deploy(call(), at(n), `op-${n}`, component);
  const observe = async (name: string, wish: Parameters<DockerWorld['open']>[1] = {}): Promise<unknown> => {
    const answer = await world.open(name, wish).observe(call());
    return answer.outcome === 'ok' ? answer.observation : answer;
  };
  beforeAll(async () => {
    world = await makeDockerWorld(found);
    first = await world.publish({ tag: '1', args: ['sleep', '3600'] });
    second = await world.publish({ tag: '2', args: ['sleep', '3600'] });
  });
  afterAll(() => world.close());

  describeDockerEngine('20.10 of Debian', async () => {
    const component = await world.publish({ tag: 'engine', args: ['sleep', '3600'] });
    const host = makeLocalHost({ home: world.root });
    const controller = new AbortController();
    const argv = ['docker', '--host', `unix://${world.engine.socket}`, 'system', 'dial-stdio'] as const;
    const streams = await Promise.all([1, 2, 3].map(() => host.open(argv, { signal: controller.signal })));
    return {
      open() {
        const program = streams.pop();
        if (!program) throw new Error('three streams are enough');
        return openDockerEngine(program.stream, controller.signal);
      },
      repository: `${world.registry().address}/shop/web`,
      digest: component.digest,
      close: () => Promise.resolve(controller.abort()),
    };
  });

  describeTarget('docker', () => Promise.resolve(dockerHarness(world, nextName(), [first, second])));

  describeHealthProgram('docker', async () => {
    const name = nextName();
    await deploy(name, 1, first);
    return {
      open: (health) => world.open(name, { definition: { health } }),
      target: name,
      component: 'web',
      digest: first.digest,
      root: world.root,
      isHere: true,
      remove: dockerHarness(world, name, [first, second]).remove,
      callTimeoutMs: CALL_TIMEOUT_MS,
    };
  });

  describe('a docker target on its engine', () => {
    it('runs the manifest of an index for its platform, and shows both digests', async () => {
      const platforms = [
        { os: 'linux', architecture: 'arm64' },
        { os: 'linux', architecture: 'amd64' },
      ];
      const { image, ...component } = await world.publish({ tag: 'index', args: ['sleep', '3600'], platforms });
      const manifest = image.manifests[1];
      const name = nextName();
      const answer = await deploy(name, 1, component);
      expect(answer).toMatchObject({ outcome: 'succeeded', digest: component.digest });
      expect(JSON.stringify(answer)).toContain(`pulled ${component.digest}, of it ${manifest?.digest}`);
      expect(await observe(name)).toMatchObject({ digest: component.digest, isHealthy: true });
      expect(await world.inspect(name)).toMatchObject({
        Image: manifest?.config,
        Config: {
          Labels: { 'dev.stella.target': name, 'dev.stella.operation': 'op-1', 'dev.stella.digest': component.digest },
        },
      });
    });

    it('cannot be changed any more by an older worker that a newer fence has ended', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      const gate = makeGate();
      const old = deploy(name, 2, second, { openEngine: pausedBefore('rename', gate) });
      await gate.reached;
      // It waits for the older one, a third of its own time.
      const newer = world.open(name).deploy({ ...call(), timeoutMs: CALL_TIMEOUT_MS / 8 }, at(3), 'op-3', first);
      expect(await newer).toMatchObject({ outcome: 'succeeded' });
      const after = await world.inspect(name);
      gate.open();
      expect(await old).toMatchObject({ outcome: 'refused', held: at(3) });
      expect(await world.inspect(name)).toMatchObject({ Id: after?.Id, State: { Status: 'running' } });
      expect(await observe(name)).toMatchObject({ digest: first.digest, isHealthy: true });
      expect(await containersOf(name)).toHaveLength(1);
    });

    it('cannot be changed by an older worker after its targets were sealed, as a forced release of its lock does', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      const gate = makeGate();
      const old = deploy(name, 2, second, { openEngine: pausedBefore('stop', gate) });
      await gate.reached;
      expect(await world.open(name).seal(call(), at(3))).toEqual({
        outcome: 'sealed',
        last: { fence: at(2), operationId: 'op-2', result: null },
      });
      gate.open();
      expect(await old).toMatchObject({ outcome: 'refused', held: at(3) });
      expect(await deploy(name, 2, second)).toMatchObject({ outcome: 'refused', held: at(3) });
      expect(await observe(name)).toMatchObject({ digest: first.digest, isHealthy: true });
    });

    it('shows that somebody runs another artifact under its name and labels', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      const labels = (await world.inspect(name))?.Config.Labels ?? {};
      await replaceBy(world, name, { image: `${world.registry().address}/shop/web@${second.digest}`, labels });
      expect(await observe(name)).toMatchObject({ digest: second.digest });
    });

    it.each([
      ['create', 'after', 'target.engine_down'],
      ['stop', 'after', 'target.switch_broken'],
      ['rename', 'before', 'target.switch_broken'],
      ['rename', 'after', 'target.switch_broken'],
      ['start', 'before', 'target.switch_broken'],
      ['start', 'after', 'target.switch_broken'],
      ['remove', 'before', 'target.switch_broken'],
    ] as const)(
      'is brought in order by the next operation, when one was cut off at its %s (%s)',
      async (request, when, code) => {
        const name = nextName();
        await deploy(name, 1, first);
        const cut = await deploy(name, 2, second, { openEngine: cutAt(request, when) });
        expect(cut).toMatchObject({ outcome: 'errored', code });
        expect(await deploy(name, 3, second)).toMatchObject({ outcome: 'succeeded' });
        expect(await observe(name)).toMatchObject({ digest: second.digest, isHealthy: true });
        expect(await containersOf(name)).toHaveLength(1);
      },
    );

    it('says of an operation that was cut off after its switch that it succeeded', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      await deploy(name, 2, second, { openEngine: cutAt('remove', 'after') });
      expect(await deploy(name, 2, second)).toMatchObject({ outcome: 'succeeded', digest: second.digest });
      expect(await world.open(name).seal(call(), at(3))).toMatchObject({
        last: { operationId: 'op-2', result: { outcome: 'succeeded', digest: second.digest } },
      });
    });

    it('starts the new one beside the old one, and keeps that when the new one is not healthy', async () => {
      const healthCheck = { intervalMs: 100, retries: 1 };
      const good = await world.publish({
        tag: 'good',
        args: ['sleep', '3600'],
        healthCheck: { ...healthCheck, test: ['CMD', '/bin/busybox', 'true'] },
      });
      const bad = await world.publish({
        tag: 'bad',
        args: ['sleep', '3600'],
        healthCheck: { ...healthCheck, test: ['CMD', '/bin/busybox', 'cat', '/etc/missing'] },
      });
      const definition = {
        order: 'start_first',
        health: { kind: 'container', intervalMs: 200, deadlineMs: 60_000 },
      } as const;
      const name = nextName();
      expect(await deploy(name, 1, good, { definition })).toMatchObject({ outcome: 'succeeded' });
      const before = await world.inspect(name);
      expect(await deploy(name, 2, bad, { definition })).toMatchObject({
        outcome: 'failed',
        code: 'target.unhealthy',
        message: expect.stringContaining('/etc/missing') as string,
      });
      expect(await world.inspect(name)).toMatchObject({ Id: before?.Id, State: { Status: 'running' } });
      expect(await observe(name, { definition })).toMatchObject({ digest: good.digest, isHealthy: true });
      const stopFirst = { definition: { ...definition, order: 'stop_first' } } as const;
      expect(await deploy(name, 3, bad, stopFirst)).toMatchObject({ outcome: 'succeeded' });
      expect(await observe(name, stopFirst)).toMatchObject({
        digest: bad.digest,
        isHealthy: false,
        message: expect.stringContaining('unhealthy') as string,
      });
      const back = await world.open(name, stopFirst).rollback(call(), at(4), 'op-4', good);
      expect(back).toMatchObject({ outcome: 'succeeded' });
      expect(await observe(name, stopFirst)).toMatchObject({ digest: good.digest, isHealthy: true });
    });

    it('says that a container is not well that ends at once, and which code it ended with', async () => {
      const ends = await world.publish({ tag: 'ends', args: ['sh', '-c', 'exit 3'] });
      const name = nextName();
      await deploy(name, 1, ends);
      await waitFor(async () => (await world.inspect(name))?.State.Status === 'exited', {
        timeoutMs: CALL_TIMEOUT_MS,
        why: 'its program ends',
      });
      expect(await observe(name)).toMatchObject({
        isHealthy: false,
        message: expect.stringContaining('exit code 3') as string,
      });
    });

    it('leaves the old one serving when the engine cannot start the new one', async () => {
      const none = await world.publish({ tag: 'none', args: ['sleep', '3600'] });
      const name = nextName();
      await deploy(name, 1, first);
      const answer = await deploy(name, 2, none, { definition: { command: ['/no/such/program'] } });
      expect(answer).toMatchObject({
        outcome: 'failed',
        code: 'target.engine_refused',
        message: expect.stringContaining('/no/such/program') as string,
      });
      expect(await observe(name)).toMatchObject({ digest: first.digest, isHealthy: true });
    });

    it('gives a secret to the container, and to no label, log or file of its fence', async () => {
      const name = nextName();
      await deploy(name, 1, first, { definition: { secretEnv: { DB: 'env:STELLA_SECRET_DB' } } });
      const made = await world.inspect(name);
      expect(made?.Config.Env).toContain(`DB=${SECRET}`);
      expect(JSON.stringify(made?.Config.Labels)).not.toContain(SECRET);
      expect(world.log.lines.join('\n')).not.toContain(SECRET);
      const state = join(world.root, 'state', name);
      for (const file of await readdir(state)) expect(await readFile(join(state, file), 'utf8')).not.toContain(SECRET);
    });

    it('refuses an engine of this machine that was not allowed, as target.engine_forbidden', async () => {
      const wish = { definition: { socket: '/run/other.sock' } };
      const name = nextName();
      expect(await world.open(name, wish).probe(call())).toMatchObject({
        outcome: 'failed',
        code: 'target.engine_forbidden',
        stages: [{ stage: 'engine', code: 'engine.forbidden' }],
      });
      expect(await deploy(name, 1, first, wish)).toMatchObject({ outcome: 'failed', code: 'target.engine_forbidden' });
    });

    it('writes nothing where the server may not write, as target.directory_forbidden, also when it is probed', async () => {
      const stateDirectory = `${world.root}-elsewhere`;
      const wish = { definition: { stateDirectory } };
      const target = world.open(nextName(), wish);
      expect(await target.probe(call())).toMatchObject({ outcome: 'failed', code: 'target.directory_forbidden' });
      expect((await target.probe(call())).stages.at(-1)).toMatchObject({ stage: 'fence', code: 'path.forbidden' });
      expect(await deploy(nextName(), 1, first, wish)).toMatchObject({ code: 'target.directory_forbidden' });
      await expect(readdir(stateDirectory)).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('is probed: engine, version, disk, secrets, fence', async () => {
      const name = nextName();
      const definition = { secretEnv: { DB: 'env:STELLA_SECRET_DB' } };
      const probe = await world.open(name, { definition }).probe(call());
      expect(probe).toMatchObject({ outcome: 'ok', holds: null });
      expect(probe.stages.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
        'engine ok',
        'version ok',
        'disk ok',
        'auth ok',
        'fence ok',
      ]);
      const old = world.open(name, { openEngine: ofApi('1.40') });
      expect(await old.probe(call())).toMatchObject({ outcome: 'failed', code: 'target.engine_old' });
      const lacking = world.open(name, { definition: { secretEnv: { DB: 'env:STELLA_SECRET_NONE' } } });
      expect(await lacking.probe(call())).toMatchObject({ outcome: 'failed', code: 'target.secret_missing' });
    });

    it('leaves a container of the same name alone that somebody else has made, as target.in_the_way', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      const image = (await world.inspect(name))?.Image;
      await world.ask('POST', `/containers/create?name=${name}-own`, {
        Image: image,
        HostConfig: { NetworkMode: 'none' },
      });
      const wish = { definition: { container: `${name}-own` } };
      expect(await world.open(nextName(), wish).probe(call())).toMatchObject({ code: 'target.in_the_way' });
      expect(await deploy(nextName(), 1, first, wish)).toMatchObject({ outcome: 'failed', code: 'target.in_the_way' });
    });

    it('is brought in order after its engine was killed in the middle of a switch', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      const gate = makeGate();
      const cut = deploy(name, 2, second, { openEngine: pausedBefore('start', gate) });
      await gate.reached;
      await world.engine.kill();
      gate.open();
      expect(await cut).toMatchObject({ outcome: 'errored', code: 'target.switch_broken' });
      await world.engine.restart();
      expect(await observe(name)).toMatchObject({ isHealthy: false });
      expect(await deploy(name, 3, second)).toMatchObject({ outcome: 'succeeded' });
      expect(await observe(name)).toMatchObject({ digest: second.digest, isHealthy: true });
      expect(await containersOf(name)).toHaveLength(1);
    });

    it('brings a former digest back when the registry is gone, and survives the death of the engine', async () => {
      const name = nextName();
      await deploy(name, 1, first);
      await deploy(name, 2, second);
      await world.engine.kill();
      expect(await observe(name)).toMatchObject({ outcome: 'errored', code: 'target.engine_down' });
      expect(await world.open(name).probe(call())).toMatchObject({
        outcome: 'errored',
        code: 'target.engine_down',
        stages: [{ stage: 'engine', code: 'engine.down' }],
      });
      expect(await deploy(name, 3, first)).toMatchObject({ outcome: 'errored', code: 'target.engine_down' });
      await world.engine.restart();
      expect(await observe(name)).toMatchObject({ digest: second.digest, isHealthy: true });
      await world.registry().stop();
      expect(await world.open(name).rollback(call(), at(4), 'op-4', first)).toMatchObject({ outcome: 'succeeded' });
      expect(await observe(name)).toMatchObject({ digest: first.digest, isHealthy: true });
      const never = { ...first, digest: `sha256:${'1'.repeat(64)}` as ReleaseComponent['digest'] };
      expect(await deploy(name, 5, never)).toMatchObject({ outcome: 'errored', code: 'registry.unreachable' });
    });
  });

  async function containersOf(name: string): Promise<readonly unknown[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`dev.stella.target=${name}`] }));
    // The engine's own list.
    return JSON.parse(await world.ask('GET', `/containers/json?all=true&filters=${filters}`)) as readonly unknown[];
  }
}
