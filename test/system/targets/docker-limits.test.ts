/** The kind `docker` where something is short: who we are at a registry, and room on the disk of an engine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Fence, parseArtifactReference, type ReleaseComponent } from '@stella/domain';
import { type DockerRegistry, findProgram, startDockerEngine } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegistryAccesses, RegistryLogin } from '../../../packages/server/src/ports/registry-credentials.ts';
import type { TargetCall } from '../../../packages/server/src/ports/target.ts';
import { CALL_TIMEOUT_MS, type DockerWorld, findComponents, makeDockerWorld } from './docker-world.ts';

const components = findComponents();
const htpasswd = findProgram('htpasswd');
const PASSWORD = randomBytes(12).toString('hex');
/** Two images go in, and 64 MiB stay free, which the probe wants. */
const DISK_BYTES = 120 * 1_048_576;

if (components === null || htpasswd === null) {
  describe('limits of docker targets', () => {
    it.skip('missing component: docker.io, docker-registry, busybox-static or apache2-utils (tools/install-system-deps.sh)', () =>
      undefined);
  });
} else {
  let world: DockerWorld;
  let first: ReleaseComponent;
  let second: ReleaseComponent;
  beforeAll(async () => {
    world = await makeDockerWorld(components);
    first = await world.publish({ tag: '1', args: ['sleep', '3600'] });
    second = await world.publish({ tag: '2', args: ['sleep', '3600'] });
  });
  afterAll(() => world.close());

  describe('a registry that wants to know who asks', () => {
    let closed: DockerRegistry;
    beforeAll(async () => {
      const file = join(world.root, 'htpasswd');
      await writeFile(file, execFileSync(htpasswd, ['-Bin', 'ci'], { input: PASSWORD }));
      closed = await world.closedRegistry(file);
    });
    afterAll(() => closed.stop());
    const there = (component: ReleaseComponent): ReleaseComponent => ({
      ...component,
      source: parseArtifactReference(`${closed.address}/shop/web:${component.tag}`).source,
    });

    it.each([
      ['nothing is declared', null],
      ['its password is another one', { username: 'ci', password: 'wrong' }],
    ])('lets the engine pull nothing while %s, as registry.denied', async (_why, login) => {
      const target = world.open('closed', { accesses: accessesOf(login) });
      expect(await target.deploy(call(), at(1), 'op-1', there(first))).toMatchObject({
        outcome: 'failed',
        code: 'registry.denied',
      });
      await rm(join(world.root, 'state', 'closed'), { recursive: true });
    });

    it('gives it to who has the password, which no disk and no log ever sees', async () => {
      const login = { username: 'ci', password: PASSWORD };
      const target = world.open('closed', { accesses: accessesOf(login) });
      expect(await target.deploy(call(), at(1), 'op-1', there(first))).toMatchObject({ outcome: 'succeeded' });
      expect(await target.observe(call())).toMatchObject({ observation: { digest: first.digest, isHealthy: true } });
      const forms = [PASSWORD, base64(`ci:${PASSWORD}`), base64(JSON.stringify(login)).slice(0, 40)];
      const told = [...world.log.lines, world.engine.log()].join('\n');
      expect(forms.filter((form) => told.includes(form))).toEqual([]);
      const places = [world.root, dirname(world.engine.socket), join(process.env['HOME'] ?? '/', '.docker')];
      const args = ['-rlFs', '-D', 'skip', ...forms.flatMap((form) => ['-e', form]), ...places];
      expect(spawnSync('grep', args, { encoding: 'utf8' }).stdout).toBe('');
    });
  });

  it('an engine without room says target.disk_full, runs what ran, and takes the next one when there is room', async () => {
    const small = await startDockerEngine(components.programs, { diskBytes: DISK_BYTES });
    try {
      const { socket } = small;
      const target = world.open('small', { definition: { socket }, engineSocket: socket });
      expect(await target.deploy(call(), at(1), 'op-1', first)).toMatchObject({ outcome: 'succeeded' });
      expect(await target.probe(call())).toMatchObject({ outcome: 'ok' });
      const filler = join(small.data, 'filler');
      await fill(filler);
      expect(await target.probe(call())).toMatchObject({ outcome: 'failed', code: 'target.disk_full' });
      expect(await target.deploy(call(), at(2), 'op-2', second)).toMatchObject({
        outcome: 'failed',
        code: 'target.disk_full',
      });
      expect(await target.observe(call())).toMatchObject({ observation: { digest: first.digest, isHealthy: true } });
      await rm(filler);
      expect(await target.deploy(call(), at(3), 'op-3', second)).toMatchObject({ outcome: 'succeeded' });
      expect(await target.observe(call())).toMatchObject({ observation: { digest: second.digest, isHealthy: true } });
    } finally {
      await small.stop();
    }
  });
}

const at = (n: number): Fence => ({ epoch: 1, n });
const call = (): TargetCall => ({ signal: new AbortController().signal, timeoutMs: CALL_TIMEOUT_MS });

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function accessesOf(login: RegistryLogin | null): RegistryAccesses {
  return { accessTo: (host) => Promise.resolve({ origin: `http://${host}`, ca: null, login }) };
}

/** Writes until the disk takes no more. */
async function fill(path: string): Promise<void> {
  const file = createWriteStream(path);
  const full = once(file, 'error');
  const block = Buffer.alloc(1_048_576);
  const write = (): void => void file.write(block, (error) => (error ? undefined : write()));
  write();
  await full;
}
