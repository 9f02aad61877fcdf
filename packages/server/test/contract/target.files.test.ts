/** The `files` target: the contract of targets, and what is its own. */
import { appendFile, chmod, mkdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRoot } from '../integration/postgres-fixture.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  namesIn,
  openTarget,
  pageIn,
  targetDeps,
  type TargetPlace,
} from './files-target-fixture.ts';
import { describeHealthProgram } from './health-program.contract.ts';
import { describeTarget } from './target.contract.ts';
import { acquireLock } from '../../src/targets/files/apply-lock.ts';
import { ensurePlace, findPlace } from '../../src/targets/files/open-place.ts';
import { withinCall } from '../../src/targets/call-scope.ts';

const VERSIONS = ['1', '2', '3', '4', '5'];

async function makePlace(): Promise<TargetPlace> {
  const place = makeTargetPlace();
  await writeOciLayout(
    place.layout,
    VERSIONS.map((tag) => ({ tag, files: { 'index.html': `page ${tag}`, 'css/style.css': `/* ${tag} */` } })),
  );
  return place;
}

describeTarget('files', async () => {
  const place = await makePlace();
  return {
    open: () => openTarget(place),
    components: [await componentOf(place, '1'), await componentOf(place, '2')],
    tamper: async () => {
      await chmod(join(place.directory, 'current', 'index.html'), 0o600);
      await appendFile(join(place.directory, 'current', 'index.html'), '!');
    },
    remove: () => place.remove(),
  };
});

describeHealthProgram('files', async () => {
  const place = await makePlace();
  const component = await componentOf(place, '1');
  await openTarget(place).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
  return {
    ...place,
    target: 'web',
    component: 'web',
    isHere: true,
    digest: component.digest,
    open: (health) => openTarget(place, { definition: { health } }),
  };
});

describe('a files target on its disk', () => {
  let place: TargetPlace;
  beforeEach(async () => {
    place = await makePlace();
  });
  afterEach(() => place.remove());

  const deploy = async (n: number, tag: string, options: Parameters<typeof openTarget>[1] = {}) =>
    openTarget(place, options).deploy(call(), { epoch: 1, n }, `op-${n}`, await componentOf(place, tag));

  it('a refused seal too leaves nothing older that could still switch', async () => {
    await deploy(1, '1');
    // An operation of fence 1.2 has looked at the fence and is paused before its rename; one of 1.4 has stored its name
    // and is paused before it removes the links of the older.
    const pending = 'pending-1.2.0-op-2';
    await symlink('releases/older', join(place.directory, '.stella', pending));
    await symlink('operation:op-4', join(place.directory, '.stella', 'fences', '1.4.0'));
    const sealed = await openTarget(place).seal(call(), { epoch: 1, n: 3 });
    expect(sealed).toEqual({ outcome: 'refused', held: { epoch: 1, n: 4 } });
    expect(namesIn(place, '.stella')).not.toContain(pending);
  });

  it('serves whole trees under one link, and keeps the last three', async () => {
    for (const [index, tag] of VERSIONS.entries()) {
      expect(await deploy(index + 1, tag)).toMatchObject({ outcome: 'succeeded' });
      expect(pageIn(place)).toBe(`page ${tag}`);
      expect(pageIn(place, 'css/style.css')).toBe(`/* ${tag} */`);
    }
    expect(namesIn(place, 'releases')).toHaveLength(3);
    expect(await readlink(join(place.directory, 'current'))).toMatch(/^releases\//);
    expect(namesIn(place, '.stella', 'staging')).toEqual([]);
  });

  it('uses a tree again that is still whole, without unpacking', async () => {
    await deploy(1, '1');
    await deploy(2, '2');
    const answer = await deploy(3, '1');
    expect(answer.outcome).toBe('succeeded');
    expect('message' in answer && answer.message).not.toContain('unpacked');
    expect(pageIn(place)).toBe('page 1');
  });

  it('replaces a link to elsewhere, and refuses a directory in its way as target.disk', async () => {
    await mkdir(place.directory, { recursive: true });
    await symlink('/nowhere', join(place.directory, 'current'));
    expect(await deploy(1, '1')).toMatchObject({ outcome: 'succeeded' });
    const other = { ...place, directory: join(place.root, 'other') };
    await mkdir(join(other.directory, 'current'), { recursive: true });
    expect(await openTarget(other).probe(call())).toMatchObject({ outcome: 'failed', code: 'target.disk' });
  });

  it('refuses a directory outside of the allowed ones, also through a link, as target.directory_forbidden', async () => {
    const elsewhere = { allowedDirectories: [join(place.root, 'allowed')] };
    await mkdir(join(place.root, 'allowed'));
    expect(await openTarget(place, elsewhere).probe(call())).toMatchObject({
      outcome: 'failed',
      code: 'target.directory_forbidden',
    });
    await symlink(place.root, join(place.root, 'allowed', 'out'));
    const through = { ...place, directory: join(place.root, 'allowed', 'out', 'web') };
    expect(await openTarget(through, elsewhere).probe(call())).toMatchObject({ code: 'target.directory_forbidden' });
    expect(await deploy(1, '1', { allowedDirectories: [] })).toMatchObject({ code: 'target.directory_forbidden' });
    expect(namesIn(place)).toEqual([]);
  });

  it.skipIf(isRoot)('fails as target.denied where it may not write', async () => {
    await mkdir(place.directory, { mode: 0o555 });
    expect(await openTarget(place).probe(call())).toMatchObject({ outcome: 'failed', code: 'target.denied' });
    await chmod(place.directory, 0o755);
  });

  it('answers target.busy when another operation keeps its lock until the deadline', async () => {
    const deps = targetDeps(place);
    const definition = { name: 'web', directory: place.directory } as Parameters<typeof findPlace>[1];
    const files = await findPlace(deps, definition);
    await ensurePlace(deps, files, 'web');
    const held = await withinCall(
      { call: call(), clock: deps.clock, target: 'web' },
      (error) => {
        throw error;
      },
      (scope) => acquireLock(deps, files, { target: 'web', fence: { epoch: 1, n: 1 }, heldFence: noFence }, scope),
    );
    const component = await componentOf(place, '1');
    const answer = await openTarget(place).deploy(call(600), { epoch: 1, n: 2 }, 'op-2', component);
    expect(answer).toMatchObject({ outcome: 'errored', code: 'target.busy' });
    await held.release();
    expect(await deploy(3, '1')).toMatchObject({ outcome: 'succeeded' });
  });

  it('finds a missing file, an added one and a changed mode', async () => {
    await deploy(1, '1');
    const current = join(place.directory, 'current');
    const observe = async (): Promise<string> => {
      const answer = await openTarget(place).observe(call());
      return answer.outcome === 'ok' ? answer.observation.message : answer.message;
    };
    expect(await observe()).toBe('');
    await writeFile(join(current, 'css', 'extra.css'), '');
    expect(await observe()).toContain('extra.css');
    await rm(join(current, 'css', 'extra.css'));
    await chmod(join(current, 'css', 'style.css'), 0o777);
    expect(await observe()).toContain('not whole');
  });
});

/** Of health checks whose answer is awaited. */
const TIMING = { intervalMs: 10, threshold: 2, deadlineMs: 10_000 };

describe('the health check of a files target', () => {
  it('is asked until it is right so often in a row, and tells what it answered when it is not', async () => {
    const place = await makePlace();
    let requestCount = 0;
    const server = createServer((_request, response) => {
      requestCount += 1;
      response.writeHead(requestCount <= 2 ? 503 : 200).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const health = { ...TIMING, url: `http://127.0.0.1:${port}/health`, expectStatus: 200, timeoutMs: 1_000 };
    const component = await componentOf(place, '1');
    await openTarget(place).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
    const healthy = await openTarget(place, { definition: { health } }).observe(call());
    expect(healthy).toMatchObject({ observation: { isHealthy: true, digest: component.digest } });
    expect(requestCount).toBe(4);
    const wrong = { ...health, expectStatus: 204, deadlineMs: 1_000, intervalMs: 100 };
    const unhealthy = await openTarget(place, { definition: { health: wrong } }).observe(call());
    expect(unhealthy).toMatchObject({ observation: { isHealthy: false, digest: component.digest } });
    expect(JSON.stringify(unhealthy)).toContain('status 200 instead of 204');
    server.close();
    place.remove();
  });

  it('of kind tcp is a connection to an allowed address, and nothing is sent', async () => {
    const place = await makePlace();
    let bytesCount = 0;
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (bytesCount += chunk.length));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const health = { ...TIMING, kind: 'tcp' as const, address: '127.0.0.1', port, timeoutMs: 5_000 };
    const component = await componentOf(place, '1');
    await openTarget(place).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
    const healthy = await openTarget(place, { definition: { health } }).observe(call());
    expect(healthy).toMatchObject({ observation: { isHealthy: true, digest: component.digest } });
    const short = { deadlineMs: 300, intervalMs: 50 };
    const outside = { ...health, ...short, address: '192.0.2.1' };
    const forbidden = await openTarget(place, { definition: { health: outside } }).observe(call());
    expect(JSON.stringify(forbidden)).toContain('192.0.2.1: not in the allowed ranges');
    await new Promise((resolve) => server.close(resolve));
    const refused = await openTarget(place, { definition: { health: { ...health, ...short } } }).observe(call());
    expect(refused).toMatchObject({ observation: { isHealthy: false, digest: component.digest } });
    expect(JSON.stringify(refused)).toContain('ECONNREFUSED');
    expect(bytesCount).toBe(0);
    place.remove();
  });
});

function noFence(): Promise<null> {
  return Promise.resolve(null);
}
