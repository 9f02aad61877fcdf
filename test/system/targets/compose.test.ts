/** The kind `compose` on Debian's engine, registry and Compose: the contract of targets, and what is its own. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { combinedDigest, type ComposeTargetDefinition, type Fence, type ReleaseComponent } from '@stella/domain';
import { findProgram, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeHealthProgram } from '../../../packages/server/test/contract/health-program.contract.ts';
import { describeTarget } from '../../../packages/server/test/contract/target.contract.ts';
import type { Observation, OperationAnswer, Target, TargetCall } from '../../../packages/server/src/ports/target.ts';
import { nodeClock } from '../../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../../packages/server/src/system/node-file-system.ts';
import { makeTargetHosts } from '../../../packages/server/src/system/target-hosts.ts';
import { openComposeTarget } from '../../../packages/server/src/targets/compose-target.ts';
import { makeSecrets } from '../../../packages/server/src/webhooks/read-secret.ts';
import { findSshd, startSshd } from '../sshd.ts';
import {
  CALL_TIMEOUT_MS,
  type DockerComponents,
  type DockerWorld,
  findComponents,
  makeDockerWorld,
  SECRET,
} from './docker-world.ts';

const components = findComponents();

if (components === null || findProgram('docker-compose') === null) {
  describe('compose targets', () => {
    it.skip('missing component: docker.io, docker-compose, docker-registry or busybox-static (tools/install-system-deps.sh)', () =>
      undefined);
  });
} else {
  describeAll(components);
}

/** busybox as the first process of a container heeds no SIGTERM; without a network nothing is made on the machine. */
const QUIET = { network_mode: 'none', stop_grace_period: '1s' };

/** All that a shell or Compose could take for something else. */
const OTHER_SECRET = `$HOME \${DB} "it's" \`id\` $$ \\ #`;

const at = (n: number): Fence => ({ epoch: 1, n });
const call = (): TargetCall => ({ signal: new AbortController().signal, timeoutMs: CALL_TIMEOUT_MS });

function describeAll(found: DockerComponents): void {
  let world: DockerWorld;
  let first: ReleaseComponent;
  let second: ReleaseComponent;
  let worker: ReleaseComponent;
  let count = 0;
  const nextName = (): string => {
    count += 1;
    return `shop-${count}`;
  };
  const stateOf = (name: string): string => join(world.root, 'state', name);
  const open = (name: string, more: Partial<ComposeTargetDefinition> = {}, deps = world.deps()): Target =>
    openComposeTarget(
      {
        kind: 'compose',
        name,
        components: { web: 'web' },
        project: name,
        socket: world.engine.socket,
        compose: { services: { web: QUIET } },
        stateDirectory: stateOf(name),
        health: null,
        ...more,
      },
      'prod',
      deps,
    );
  const observe = async (target: Target): Promise<Observation> => {
    const answer = await target.observe(call());
    if (answer.outcome !== 'ok') throw new Error(answer.message);
    return answer.observation;
  };
  beforeAll(async () => {
    world = await makeDockerWorld(found);
    first = await world.publish({ tag: '1', args: ['sleep', '3600'] });
    second = await world.publish({ tag: '2', args: ['sleep', '3600'] });
    worker = await world.publish({ tag: '1', args: ['sleep', '3600'] }, 'worker');
  });
  afterAll(() => world.close());

  describeTarget('compose', () => {
    const name = nextName();
    return Promise.resolve({
      open: () => open(name),
      components: [first, second],
      tamper: () => runOther(world, name),
      remove: () => removeProject(world, name),
      callTimeoutMs: CALL_TIMEOUT_MS,
    });
  });

  describeHealthProgram('compose', async () => {
    const name = nextName();
    const both = { components: { web: 'web', worker: 'worker' }, compose: { services: { web: QUIET, worker: QUIET } } };
    await open(name, both).deploy(call(), at(1), 'op-1', first, worker);
    return {
      open: (health) => open(name, { ...both, health }),
      target: name,
      component: 'web,worker',
      digest: combinedDigest([first, worker]),
      root: world.root,
      isHere: true,
      remove: () => removeProject(world, name),
      callTimeoutMs: CALL_TIMEOUT_MS,
    };
  });

  describe('a compose target with two components and a pinned service', () => {
    let name: string;
    let target: Target;
    const deploy = (n: number, parts: readonly [ReleaseComponent, ...ReleaseComponent[]]): Promise<OperationAnswer> =>
      target.deploy(call(), at(n), `op-${n}`, ...parts);

    beforeAll(() => {
      name = nextName();
      const image = `${world.registry().address}/shop/worker@${worker.digest}`;
      const services = { web: QUIET, worker: QUIET, cache: { ...QUIET, image } };
      target = open(name, { components: { web: 'web', worker: 'worker' }, compose: { services } });
    });
    afterAll(() => removeProject(world, name));

    it('promises one digest, and keeps the lock of the deploy under its checksum', async () => {
      const answer = await deploy(1, [first, worker]);
      expect(answer).toMatchObject({ outcome: 'succeeded', digest: combinedDigest([first, worker]) });
      expect(await observe(target)).toMatchObject({
        digest: combinedDigest([first, worker]),
        isHealthy: true,
        message: '',
        holds: { fence: at(1) },
      });
      const [file = ''] = await readdir(join(stateOf(name), 'locks'));
      const text = await readFile(join(stateOf(name), 'locks', file), 'utf8');
      expect(file).toBe(`${createHash('sha256').update(text).digest('hex')}.yaml`);
      const image = `${world.registry().address}/shop/web@${first.digest}`;
      for (const line of [`"target": "${name}"`, '"fence": "1.1"', '"operation": "op-1"', `"image": "${image}"`]) {
        expect(text).toContain(`${line}\n`);
      }
    });

    it('leaves running what stays the same, when it goes forward and back', async () => {
      const before = await world.inspect(`${name}_worker_1`);
      expect(await deploy(2, [second, worker])).toMatchObject({ outcome: 'succeeded' });
      expect((await observe(target)).digest).toBe(combinedDigest([second, worker]));
      const back = await target.rollback(call(), at(3), 'op-3', first, worker);
      expect(back).toMatchObject({ outcome: 'succeeded', digest: combinedDigest([first, worker]) });
      expect((await world.inspect(`${name}_worker_1`))?.Id).toBe(before?.Id);
      expect(await readdir(join(stateOf(name), 'locks'))).toHaveLength(3);
    });

    it('names the service that runs another image than its label says', async () => {
      await runOther(world, name, second);
      const seen = await observe(target);
      expect(seen).toMatchObject({ digest: null, isHealthy: false });
      expect(seen.message).toBe(`service web runs ${second.digest} instead of ${first.digest}`);
    });

    it('names the service that has ended', async () => {
      await deploy(4, [first, worker]);
      await world.ask('POST', `/containers/${name}_cache_1/kill`);
      await waitFor(async () => (await observe(target)).message !== '', {
        timeoutMs: CALL_TIMEOUT_MS,
        why: 'the engine sees the end of the container',
      });
      expect(await observe(target)).toMatchObject({
        digest: combinedDigest([first, worker]),
        isHealthy: false,
        message: `service cache: container ${name}_cache_1 has ended, with exit code 137`,
      });
    });
  });

  describe('a compose target with secrets', () => {
    it('gives them to the containers of their service, and to no lock, label, message or file of its fence', async () => {
      const name = nextName();
      const definition = {
        components: { web: 'web', worker: 'worker' },
        compose: { services: { web: { ...QUIET, environment: { MODE: 'on' } }, worker: QUIET } },
        secretEnv: { web: { DB: 'env:STELLA_SECRET_DB' } },
      };
      const target = open(name, definition);
      const stages = (await target.probe(call())).stages.map(({ stage, outcome }) => `${stage} ${outcome}`);
      expect(stages).toEqual(['engine ok', 'version ok', 'disk ok', 'programs ok', 'auth ok', 'fence ok']);
      const answer = await target.deploy(call(), at(1), 'op-1', first, worker);
      expect(answer).toMatchObject({ outcome: 'succeeded' });
      const made = await world.inspect(`${name}_web_1`);
      expect(made?.Config.Env).toEqual(expect.arrayContaining([`DB=${SECRET}`, 'MODE=on']));
      expect(JSON.stringify(made?.Config.Labels)).not.toContain(SECRET);
      const other = await world.inspect(`${name}_worker_1`);
      expect(JSON.stringify(other)).not.toContain(SECRET);
      expect(JSON.stringify([answer, world.log.lines])).not.toContain(SECRET);
      const files = await readdir(stateOf(name), { recursive: true, withFileTypes: true });
      const texts = await Promise.all(
        files.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name), 'utf8')),
      );
      expect(texts.length).toBeGreaterThan(1);
      expect(texts.join('\n')).not.toContain(SECRET);
      // The same value leaves its container running, another one makes it anew.
      await target.deploy(call(), at(2), 'op-2', first, worker);
      expect((await world.inspect(`${name}_web_1`))?.Id).toBe(made?.Id);
      const changed = makeSecrets({
        env: { STELLA_SECRET_DB: OTHER_SECRET },
        fileSystem: nodeFileSystem,
        clock: nodeClock,
        directory: world.root,
      });
      await open(name, definition, { ...world.deps(), secrets: changed }).deploy(call(), at(3), 'op-3', first, worker);
      const anew = await world.inspect(`${name}_web_1`);
      expect(anew?.Id).not.toBe(made?.Id);
      expect(anew?.Config.Env).toContain(`DB=${OTHER_SECRET}`);
      expect((await world.inspect(`${name}_worker_1`))?.Id).toBe(other?.Id);
      await removeProject(world, name);
    });

    it('changes nothing without one of them, as target.secret_missing', async () => {
      const name = nextName();
      const lacking = open(name, { secretEnv: { web: { DB: 'env:STELLA_SECRET_NONE' } } });
      const probe = await lacking.probe(call());
      expect(probe).toMatchObject({ outcome: 'failed', code: 'target.secret_missing' });
      expect(probe.stages.at(-1)).toMatchObject({ stage: 'auth', code: 'auth.secret_missing' });
      const answer = await lacking.deploy(call(), at(1), 'op-1', first);
      expect(answer).toMatchObject({ outcome: 'failed', code: 'target.secret_missing' });
      expect(JSON.stringify(answer)).toContain('web.DB');
      expect(await world.inspect(`${name}_web_1`)).toBeNull();
    });
  });

  describe('a compose target over SSH', () => {
    it('is deployed and observed as on this machine, and refuses what is older', async () => {
      const programs = findSshd();
      if (!programs) throw new Error('missing component: openssh-server (tools/install-system-deps.sh)');
      const sshd = await startSshd(programs);
      const secrets = makeSecrets({ env: {}, fileSystem: nodeFileSystem, clock: nodeClock, directory: sshd.directory });
      const hosts = makeTargetHosts({ secrets, allowedRanges: ['127.0.0.0/8'], home: '/' });
      const name = nextName();
      const { port, user, keyFile, fingerprint } = sshd;
      const ssh = { address: '127.0.0.1', port, user, key: `file:${keyFile}`, hostKey: fingerprint };
      const far = open(name, { host: { ssh } }, world.deps({ openHost: hosts.openHost }));
      try {
        expect(await far.probe(call())).toMatchObject({ outcome: 'ok' });
        expect(await far.deploy(call(), at(2), 'op-2', first)).toMatchObject({ outcome: 'succeeded' });
        expect(await observe(far)).toMatchObject({ digest: first.digest, isHealthy: true, holds: { fence: at(2) } });
        expect(await far.deploy(call(), at(1), 'op-1', second)).toMatchObject({ outcome: 'refused', held: at(2) });
        expect(await readdir(join(stateOf(name), 'locks'))).toHaveLength(1);
      } finally {
        await removeProject(world, name);
        hosts.close();
        await sshd.stop();
      }
    });
  });

  describe('a compose target that cannot be brought up', () => {
    it('fails as target.compose_failed with the words of Compose, and can be deployed again', async () => {
      const name = nextName();
      const broken = open(name, { compose: { services: { web: { ...QUIET, command: ['/none'] } } } });
      const answer = await broken.deploy(call(), at(1), 'op-1', first);
      expect(answer).toMatchObject({ outcome: 'failed', code: 'target.compose_failed' });
      expect(JSON.stringify(answer)).toContain('/none');
      expect(await broken.deploy(call(), at(1), 'op-1', first)).toEqual(answer);
      expect(await open(name).deploy(call(), at(2), 'op-2', first)).toMatchObject({ outcome: 'succeeded' });
      await removeProject(world, name);
    });

    it('leaves a project of somebody else alone, as target.in_the_way', async () => {
      const name = nextName();
      await open(name).deploy(call(), at(1), 'op-1', first);
      const other = open('other', { project: name });
      expect(await other.probe(call())).toMatchObject({ code: 'target.in_the_way' });
      const answer = await other.deploy(call(), at(1), 'op-1', second);
      expect(answer).toMatchObject({ outcome: 'failed', code: 'target.in_the_way' });
      expect((await observe(open(name))).digest).toBe(first.digest);
      await removeProject(world, name);
    });
  });
}

/** A container of the service `web` with the labels of the real one, and another image. */
async function runOther(world: DockerWorld, project: string, component?: ReleaseComponent): Promise<void> {
  const container = `${project}_web_1`;
  const real = await world.inspect(container);
  const image = component ? `${world.registry().address}/shop/web@${component.digest}` : await commit(world, container);
  await world.ask('DELETE', `/containers/${container}?force=true`);
  const spec = { Image: image, Labels: real?.Config.Labels, HostConfig: { NetworkMode: 'none' } };
  const made = await world.ask('POST', `/containers/create?name=${container}`, spec);
  await world.ask('POST', `/containers/${idOf(made)}/start`);
}

async function commit(world: DockerWorld, container: string): Promise<string> {
  return idOf(await world.ask('POST', `/commit?container=${container}&repo=other&tag=${container}`, {}));
}

async function removeProject(world: DockerWorld, project: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.compose.project=${project}`] }));
  const list = await world.ask('GET', `/containers/json?all=true&filters=${filters}`);
  // The engine's own form.
  for (const { Id } of JSON.parse(list) as readonly { readonly Id: string }[]) {
    await world.ask('DELETE', `/containers/${Id}?force=true`);
  }
}

function idOf(answer: string): string {
  // The engine's own form.
  return (JSON.parse(answer) as { readonly Id: string }).Id;
}
