/**
 * Targets that do a part of what they should: some hosts of an environment fail, or one runs something else than it said.
 * The real engine deploys onto real directories; the artifacts come from a registry that a test can hold up or spoil.
 */
import { existsSync, readFileSync, readlinkSync, renameSync, symlinkSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readLayoutBlob, waitFor, type WrittenImage, writeOciLayout } from '@stella/testkit';
import { type HostileServer, startHostileServer } from '@stella/testkit/hostile';
import { answer } from '@stella/testkit/hostile/behaviours';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestServer, type TestServer, untilStatus } from '../http-fixture.ts';

const SETTLE_TIMEOUT_MS = 60_000;
const FIRST_HOSTS = ['web-1', 'web-2', 'web-3'] as const;
const LAST_HOSTS = ['web-4', 'web-5'] as const;
const HOSTS = [...FIRST_HOSTS, ...LAST_HOSTS] as const;

vi.setConfig({ testTimeout: 3 * SETTLE_TIMEOUT_MS });

let test: TestServer;
let registry: HostileServer;
const images = new Map<string, WrittenImage>();

beforeAll(async () => {
  test = await startTestServer();
  registry = await startHostileServer();
  const tags = ['one', 'two', 'three'];
  const written = await writeOciLayout(
    test.place.layouts,
    tags.map((tag) => ({ tag, files: { 'index.html': `page ${tag}` } })),
  );
  for (const image of written) images.set(image.tag, image);
  await mkdir(test.place.targets, { recursive: true });
});
afterAll(async () => {
  await registry.close();
  await test.remove();
});

/** Five hosts, the last two of which fetch the same artifact from a repository of their own. */
async function applyHosts(environment: string, onFailure: 'rollback' | 'hold'): Promise<void> {
  const targets = HOSTS.map((host) => {
    const component = FIRST_HOSTS.some((one) => one === host) ? 'web' : 'edge';
    const directory = join(test.place.targets, environment, host);
    return `  - { name: ${host}, kind: files, component: ${component}, directory: ${directory} }`;
  });
  await mkdir(join(test.place.targets, environment), { recursive: true });
  const text = [
    'kind: Environment',
    `name: ${environment}`,
    `onFailure: ${onFailure}`,
    'deployDeadline: 5m',
    'targets:',
    ...targets,
    '',
  ].join('\n');
  await test.admin.call('applyDefinitions', { body: { documents: [{ file: `${environment}.yaml`, text }] } });
}

const layerPath = (repository: string, tag: string): string =>
  `/v2/${repository}/blobs/${images.get(tag)?.manifests[0]?.layers[0] ?? ''}`;

/** Honest, but for what a test spoils afterwards. */
async function serve(repository: string, tag: string): Promise<string> {
  const image = images.get(tag);
  if (!image) throw new Error(`no image ${tag}`);
  const bytes = await readLayoutBlob(test.place.layouts, image.digest);
  const manifest = answer(bytes, { headers: { 'content-type': image.mediaType } });
  registry.answerAt(`/v2/${repository}/manifests/${tag}`, manifest);
  registry.answerAt(`/v2/${repository}/manifests/${image.digest}`, manifest);
  await serveLayer(repository, tag);
  return `${registry.authority}/${repository}:${tag}`;
}

async function serveLayer(repository: string, tag: string): Promise<void> {
  const digest = images.get(tag)?.manifests[0]?.layers[0];
  if (!digest) throw new Error(`no layer of ${tag}`);
  registry.answerAt(layerPath(repository, tag), answer(await readLayoutBlob(test.place.layouts, digest)));
}

/** Answers only when the function that this gives is called. */
async function holdLayer(repository: string, tag: string): Promise<() => void> {
  const digest = images.get(tag)?.manifests[0]?.layers[0];
  if (!digest) throw new Error(`no layer of ${tag}`);
  const honest = answer(await readLayoutBlob(test.place.layouts, digest));
  let release = (): void => undefined;
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  registry.answerAt(layerPath(repository, tag), (socket, request) => {
    void isReleased.then(() => honest(socket, request));
  });
  return release;
}

async function makeRelease(name: string, tag: string): Promise<void> {
  const components = [
    { name: 'web', artifact: await serve(`${name}-web`, tag) },
    { name: 'edge', artifact: await serve(`${name}-edge`, tag) },
  ];
  await test.admin.call('createRelease', { body: { name, components } });
}

async function promote(release: string, environment: string): Promise<string> {
  return (await test.admin.call('createPromotion', { body: { release, environment } })).id;
}

function pageOf(environment: string, host: string): string | null {
  const path = join(test.place.targets, environment, host, 'current', 'index.html');
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

const pagesOf = (environment: string): (string | null)[] => HOSTS.map((host) => pageOf(environment, host));

async function whatIs(environment: string) {
  const { state, release } = await test.admin.call('getEnvironment', { parameters: { environment } });
  return { state, release: release?.name ?? null };
}

async function attemptsOf(promotion: string, purpose: string) {
  const { attempts } = await test.admin.call('getPromotion', { parameters: { promotion } });
  return attempts.filter((attempt) => attempt.purpose === purpose);
}

describe('a release that comes onto three of five hosts', () => {
  it('is rolled back from those three, and the other two keep what they had', async () => {
    await applyHosts('back', 'rollback');
    await makeRelease('back-1', 'one');
    await untilStatus(test.admin, await promote('back-1', 'back'), 'completed');
    await makeRelease('back-2', 'two');
    registry.answerAt(layerPath('back-2-edge', 'two'), answer('', { status: 404 }));
    const id = await promote('back-2', 'back');
    await untilStatus(test.admin, id, 'rolled_back');
    expect(pagesOf('back')).toEqual(HOSTS.map(() => 'page one'));
    expect(await whatIs('back')).toEqual({ state: 'whole', release: 'back-1' });
    const deploys = await attemptsOf(id, 'deploy');
    for (const host of FIRST_HOSTS) {
      expect(deploys.filter(({ subject }) => subject === host)).toMatchObject([{ outcome: 'succeeded' }]);
    }
    for (const host of LAST_HOSTS) {
      expect(deploys.filter(({ subject }) => subject === host)).toMatchObject([
        { outcome: 'failed', code: 'registry.artifact_missing' },
      ]);
    }
    await serveLayer('back-2-edge', 'two');
    await untilStatus(test.admin, await promote('back-2', 'back'), 'completed');
    expect(pagesOf('back')).toEqual(HOSTS.map(() => 'page two'));
  });

  it('stays on those three with onFailure: hold, the environment is mixed, and the next release makes it whole', async () => {
    await applyHosts('stay', 'hold');
    await makeRelease('stay-1', 'one');
    await untilStatus(test.admin, await promote('stay-1', 'stay'), 'completed');
    await makeRelease('stay-2', 'two');
    registry.answerAt(layerPath('stay-2-edge', 'two'), answer('spoilt'));
    const id = await promote('stay-2', 'stay');
    await untilStatus(test.admin, id, 'failed');
    expect(pagesOf('stay')).toEqual([...FIRST_HOSTS.map(() => 'page two'), ...LAST_HOSTS.map(() => 'page one')]);
    expect(await whatIs('stay')).toEqual({ state: 'mixed', release: 'stay-1' });
    expect((await test.admin.call('listLocks', { query: { environment: 'stay' } })).items).toEqual([]);
    await makeRelease('stay-3', 'three');
    await untilStatus(test.admin, await promote('stay-3', 'stay'), 'completed');
    expect(pagesOf('stay')).toEqual(HOSTS.map(() => 'page three'));
    expect(await whatIs('stay')).toEqual({ state: 'whole', release: 'stay-3' });
  });

  it('stays there when there is nothing to go back to', async () => {
    await applyHosts('first', 'rollback');
    await makeRelease('first-1', 'one');
    registry.answerAt(layerPath('first-1-edge', 'one'), answer('', { status: 404 }));
    const id = await promote('first-1', 'first');
    await untilStatus(test.admin, id, 'failed');
    expect(pagesOf('first')).toEqual([...FIRST_HOSTS.map(() => 'page one'), ...LAST_HOSTS.map(() => null)]);
    expect(await whatIs('first')).toEqual({ state: 'mixed', release: null });
  });
});

describe('a host that runs another digest than it said', () => {
  it('is found by the verification, and everything is rolled back', async () => {
    await applyHosts('liar', 'rollback');
    await makeRelease('liar-1', 'one');
    await untilStatus(test.admin, await promote('liar-1', 'liar'), 'completed');
    const current = join(test.place.targets, 'liar', 'web-1', 'current');
    const before = readlinkSync(current);
    await makeRelease('liar-2', 'two');
    const release = await holdLayer('liar-2-edge', 'two');
    const id = await promote('liar-2', 'liar');
    // The others hold the deploy up for as long as the test wants.
    await waitFor(() => FIRST_HOSTS.every((host) => pageOf('liar', host) === 'page two'), {
      timeoutMs: SETTLE_TIMEOUT_MS,
      why: 'three hosts have it',
    });
    await waitFor(
      async () => (await attemptsOf(id, 'deploy')).filter(({ outcome }) => outcome === 'succeeded').length === 3,
      { timeoutMs: SETTLE_TIMEOUT_MS, why: 'three hosts have said so' },
    );
    symlinkSync(before, `${current}.mine`);
    renameSync(`${current}.mine`, current);
    release();
    await untilStatus(test.admin, id, 'rolled_back');
    const verified = (await attemptsOf(id, 'verify')).find(({ subject }) => subject === 'web-1');
    expect(verified?.digest).toBe(images.get('one')?.digest);
    expect(pagesOf('liar')).toEqual(HOSTS.map(() => 'page one'));
    expect(await whatIs('liar')).toEqual({ state: 'whole', release: 'liar-1' });
  });
});
