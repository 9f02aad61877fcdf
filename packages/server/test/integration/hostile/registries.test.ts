/**
 * Registries that do what they should not: while a release is made, while its promotion is checked, and while a target
 * fetches its layers. The real engine of a real server asks them; whatever they do, nothing else is deployed than what the
 * release named (safety S10).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, ERROR_CODES, HTTP_STATUS_BY_KIND } from '@stella/domain';
import { readLayoutBlob, waitFor, type WrittenImage, writeOciLayout } from '@stella/testkit';
import { type Behaviour, type HostileServer, startHostileServer } from '@stella/testkit/hostile';
import { answer, hang, inTurn } from '@stella/testkit/hostile/behaviours';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Answered,
  applyEnvironments,
  ask,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../http-fixture.ts';
import { HOSTILE_BLOBS, HOSTILE_MANIFESTS, HOSTILE_TAGS, MANIFEST_TYPE, type RegistryRow } from './registry-answers.ts';

/** The only address that may be asked. */
const ALLOWED = '127.0.0.3';
const SETTLE_TIMEOUT_MS = 240_000;
const SETUP_TIMEOUT_MS = 900_000;
/** The buffers of the system, and what is read before it is refused; a deploy tries up to three times. */
const SENT_BYTES_MAX = 48 * 1_048_576;
const PROBE_TIMEOUT = '3s';
const DEPLOY_DEADLINE = '20s';
/** To make a release, and what a busy machine adds. */
const RESOLVE_MS_MAX = 40_000;
/** Kept out of the table: nobody asks for it. */
const WINDOWS = { os: 'windows', architecture: 'amd64' };

vi.setConfig({ testTimeout: SETTLE_TIMEOUT_MS + 60_000 });

let test: TestServer;
let registry: HostileServer;
let foreign: HostileServer;
let images: readonly WrittenImage[];
let manifest: Buffer;
let layer: Buffer;
const promotions = new Map<string, string>();
const makings = new Map<string, Promise<Answered & { readonly tookMs: number }>>();

type Phase = 'manifest' | 'blob' | 'tag';
const keyOf = (phase: Phase, { what }: RegistryRow): string => `${phase}: ${what}`;

beforeAll(async () => {
  test = await startTestServer({ STELLA_OUTGOING_ALLOW: `${ALLOWED}/32` });
  registry = await startHostileServer({ host: ALLOWED });
  foreign = await startHostileServer();
  foreign.answerAt('/', answer('{"token":"t"}'));
  images = await writeOciLayout(test.place.layouts, [
    { tag: '1', files: { 'index.html': 'page 1' } },
    { tag: '2', files: { 'index.html': 'page 2' } },
    { tag: 'windows', files: { 'index.html': 'page 3' }, platforms: [WINDOWS] },
  ]);
  manifest = await bytesOf(imageOf('1').digest);
  layer = await bytesOf(imageOf('1').manifests[0]?.layers[0]);
  await test.admin.call('changeSetting', { parameters: { setting: 'probe.timeout' }, body: { value: PROBE_TIMEOUT } });
  await beginAll();
}, SETUP_TIMEOUT_MS);
afterAll(async () => {
  await registry.close();
  await foreign.close();
  await test.remove();
});

function imageOf(tag: string): WrittenImage {
  const found = images.find((one) => one.tag === tag);
  if (!found) throw new Error(`no image ${tag}`);
  return found;
}

function bytesOf(digest: Digest | undefined): Promise<Buffer> {
  if (!digest) throw new Error('no such blob');
  return readLayoutBlob(test.place.layouts, digest);
}

/** One repository, environment and promotion for each row; all go their way at the same time. */
async function beginAll(): Promise<void> {
  const rows = [
    ...HOSTILE_MANIFESTS.map((row) => ({ phase: 'manifest' as const, row })),
    ...HOSTILE_BLOBS.map((row) => ({ phase: 'blob' as const, row })),
  ].map((one, index) => ({ ...one, name: `row-${index}` }));
  await applyEnvironments(
    test,
    rows.map(({ name }) => ({ name, more: [`deployDeadline: ${DEPLOY_DEADLINE}`] })),
  );
  for (const { phase, row, name } of rows) {
    await makeRelease(name, await serveImage(name, '1'));
    const start = phase === 'blob' ? blobsOf(name, imageOf('1')) : manifestPath(name, '1');
    registry.answerAt(start, row.behaves(phase === 'blob' ? layer : manifest, foreign.authority));
    const { id } = await test.admin.call('createPromotion', { body: { release: name, environment: name } });
    promotions.set(keyOf(phase, row), id);
  }
  for (const [index, row] of HOSTILE_TAGS.entries()) {
    const name = `tag-${index}`;
    registry.answerAt(manifestsOf(name), row.behaves(manifest, foreign.authority));
    const beganAtMs = performance.now();
    const making = make(name, `${registry.authority}/${name}:1`);
    makings.set(
      keyOf('tag', row),
      making.then((given) => ({ ...given, tookMs: performance.now() - beganAtMs })),
    );
  }
}

const manifestsOf = (name: string): string => `/v2/${name}/manifests/`;
const manifestPath = (name: string, tag: string): string => `${manifestsOf(name)}${imageOf(tag).digest}`;
/** Only the first layer: whoever moves it moves what is deployed. */
const blobsOf = (name: string, image: WrittenImage): string =>
  `/v2/${name}/blobs/${image.manifests[0]?.layers[0] ?? ''}`;

/** An honest repository of that name, whose only tag `live` is that image; answers its reference. */
async function serveImage(name: string, tag: string): Promise<string> {
  const image = imageOf(tag);
  registry.answerAt(manifestsOf(name), honestManifest(await bytesOf(image.digest), image.mediaType));
  for (const one of image.manifests) {
    registry.answerAt(`${manifestsOf(name)}${one.digest}`, honestManifest(await bytesOf(one.digest), MANIFEST_TYPE));
    for (const digest of [one.config, ...one.layers]) {
      registry.answerAt(`/v2/${name}/blobs/${digest}`, answer(await bytesOf(digest)));
    }
  }
  return `${registry.authority}/${name}:live`;
}

function honestManifest(bytes: Uint8Array, mediaType: string): Behaviour {
  return answer(bytes, { headers: { 'content-type': mediaType } });
}

function make(name: string, artifact: string, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
  return ask(test.server, '/api/v1/releases', { body: { name, components: [{ name: 'web', artifact }] }, headers });
}

async function makeRelease(name: string, artifact: string): Promise<void> {
  expect(await make(name, artifact)).toMatchObject({ status: 201 });
}

async function attemptsOf(promotion: string, purpose: string): ReturnType<typeof readAttempts> {
  return (await readAttempts(promotion)).filter((one) => one.purpose === purpose && one.endedAt !== null);
}

async function readAttempts(promotion: string) {
  return (await test.admin.call('getPromotion', { parameters: { promotion } })).attempts;
}

function pageOf(environment: string): string | null {
  const path = join(test.place.targets, environment, 'current', 'index.html');
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

describe('while a release is made, a registry that', () => {
  it.each(HOSTILE_TAGS)('$what: $code', async (row) => {
    const given = await makings.get(keyOf('tag', row));
    expect(given?.body).toMatchObject({ code: row.code, detail: expect.stringMatching(row.says) as string });
    expect(given?.status).toBe(HTTP_STATUS_BY_KIND[ERROR_CODES[row.code].kind]);
    expect(given?.tookMs).toBeLessThan(RESOLVE_MS_MAX);
  });
});

describe('while a promotion is checked, a registry that', () => {
  it.each(HOSTILE_MANIFESTS)('$what: $code, and the promotion waits without anything deployed', async (row) => {
    const promotion = promotions.get(keyOf('manifest', row)) ?? '';
    await waitFor(async () => (await attemptsOf(promotion, 'precheck_artifact')).length > 0, {
      timeoutMs: SETTLE_TIMEOUT_MS,
      why: 'the artifact was looked for',
    });
    const [attempt] = await attemptsOf(promotion, 'precheck_artifact');
    expect(attempt).toMatchObject({ code: row.code, message: expect.stringMatching(row.says) as string });
    const seen = await test.admin.call('getPromotion', { parameters: { promotion } });
    expect(seen).toMatchObject({ status: 'in_progress', step: 'precheck' });
    expect(registry.sentBytesAt(manifestPath(seen.environment, '1'))).toBeLessThan(SENT_BYTES_MAX);
    expect(pageOf(seen.environment)).toBeNull();
  });

  it('is honest again is asked again, by itself or by a retry, and the promotion goes on', async () => {
    const [row] = HOSTILE_MANIFESTS;
    if (!row) throw new Error('no row');
    const promotion = promotions.get(keyOf('manifest', row)) ?? '';
    const { environment } = await test.admin.call('getPromotion', { parameters: { promotion } });
    await serveImage(environment, '1');
    await test.admin.call('retryPromotion', { parameters: { promotion }, body: {} });
    await untilStatus(test.admin, promotion, 'completed');
    expect(pageOf(environment)).toBe('page 1');
  });
});

describe('while a target fetches, a registry that', () => {
  it.each(HOSTILE_BLOBS)('$what: $code, and the deploy fails without a trace', async (row) => {
    const promotion = promotions.get(keyOf('blob', row)) ?? '';
    await waitFor(
      async () => (await test.admin.call('getPromotion', { parameters: { promotion } })).status === 'failed',
      { timeoutMs: SETTLE_TIMEOUT_MS, why: 'it has failed' },
    );
    const attempts = await attemptsOf(promotion, 'deploy');
    expect(attempts.length).toBeGreaterThanOrEqual(1);
    expect(attempts.length).toBeLessThanOrEqual(3);
    expect(attempts[0]).toMatchObject({ code: row.code, message: expect.stringMatching(row.says) as string });
    const seen = await test.admin.call('getPromotion', { parameters: { promotion } });
    expect(['deploy.failed', 'deploy.deadline']).toContain(seen.ending?.code);
    expect(registry.sentBytesAt(blobsOf(seen.environment, imageOf('1')))).toBeLessThan(SENT_BYTES_MAX);
    expect(pageOf(seen.environment)).toBeNull();
    const { items } = await test.admin.call('listLocks', { query: { environment: seen.environment } });
    expect(items).toEqual([]);
  });
});

describe('whatever a registry says', () => {
  it('leads nobody elsewhere', () => {
    expect(foreign.connectionCount()).toBe(0);
  });

  it('a tag that moves after the release was made changes nothing', async () => {
    await applyEnvironments(test, [{ name: 'moves' }]);
    const artifact = await serveImage('moves', '1');
    await makeRelease('moves', artifact);
    // The tag is another image now; what was named by its digest is still there.
    await serveImage('moves', '2');
    registry.answerAt(manifestPath('moves', '1'), honestManifest(manifest, MANIFEST_TYPE));
    const { id } = await test.admin.call('createPromotion', { body: { release: 'moves', environment: 'moves' } });
    await untilStatus(test.admin, id, 'completed');
    expect(pageOf('moves')).toBe('page 1');
  });

  it('an index without the target’s platform is never deployed, and names what it has', async () => {
    await applyEnvironments(test, [{ name: 'windows' }]);
    await makeRelease('windows', await serveImage('windows', 'windows'));
    const { id } = await test.admin.call('createPromotion', { body: { release: 'windows', environment: 'windows' } });
    await untilStatus(test.admin, id, 'failed');
    const [attempt] = await attemptsOf(id, 'deploy');
    expect(attempt).toMatchObject({ code: 'registry.bad_manifest' });
    expect(attempt?.message).toContain('it has: windows/amd64');
    expect(pageOf('windows')).toBeNull();
  });
});

describe('the repeat of a request that made a release', () => {
  it('bug: gets the first answer although the tag has moved, and without the registry', async () => {
    const artifact = await serveImage('repeat', '1');
    const key = { 'idempotency-key': 'make-repeat' };
    const first = await make('repeat', artifact, key);
    expect(first).toMatchObject({ status: 201 });
    await serveImage('repeat', '2');
    expect(await make('repeat', artifact, key)).toMatchObject({ status: 201, body: first.body });
    registry.answerAt(manifestsOf('repeat'), hang);
    expect(await make('repeat', artifact, key)).toMatchObject({ status: 201, body: first.body });
    const other = await make('another', artifact, key);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency.mismatch' } });
    expect(registry.requestsAt(manifestsOf('repeat'))).toEqual([]);
  });

  it('has one effect when it comes at once and the tag moves in between', async () => {
    await serveImage('twice', '1');
    const bodies = [await bytesOf(imageOf('1').digest), await bytesOf(imageOf('2').digest)] as const;
    const moving = inTurn(honestManifest(bodies[0], MANIFEST_TYPE), honestManifest(bodies[1], MANIFEST_TYPE));
    registry.answerAt(`${manifestsOf('twice')}live`, moving);
    for (const tag of ['1', '2']) {
      registry.answerAt(manifestPath('twice', tag), honestManifest(await bytesOf(imageOf(tag).digest), MANIFEST_TYPE));
    }
    const once = (): Promise<Answered> =>
      make('twice', `${registry.authority}/twice:live`, { 'idempotency-key': 'make-twice' });
    const answers = await Promise.all([once(), once()]);
    const made = answers.filter(({ status }) => status === 201);
    expect(made.length).toBeGreaterThanOrEqual(1);
    expect(new Set(made.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });
});
