/** Debian's `docker-registry`, started for a test, on loopback unless it is told otherwise, with its own storage, and how content is pushed to it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '@stella/domain';
import { findProgram } from './find-program.ts';
import { readLayoutBlob, type WrittenImage } from './oci-layout.ts';

/** It is up in 0.2 s; a busy machine needs longer. */
const START_TIMEOUT_MS = 15_000;
const PUSH_TIMEOUT_MS = 10_000;
/** Bytes of its log that an error shows. */
const LOG_LENGTH_MAX = 4_000;

export interface DockerRegistry {
  /** `127.0.0.1:41234`, as references name it. */
  readonly address: string;
  readonly pid: number;
  /** Copies one image of a layout, with all that it consists of, under its tag. */
  push(layoutDirectory: string, image: WrittenImage, repository: string): Promise<void>;
  /** Where the bytes of a blob lie, for tests that damage or remove them. Nothing is cached by the registry. */
  blobPath(digest: Digest): string;
  /** Ends the process and removes its storage. */
  stop(): Promise<void>;
}

/** The path of the binary `docker-registry`, or null when it is not installed (tools/install-system-deps.sh). */
export function findDockerRegistry(): string | null {
  return findProgram('docker-registry');
}

export interface DockerRegistryOptions {
  /** Of this machine, where it listens; `127.0.0.1` unless it is given. */
  readonly host?: string;
  /** Shared with another one, which fills it; its own and removed with it unless it is given. */
  readonly storage?: string;
  /** Files in PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** As its configuration has it: `{ htpasswd: { realm, path } }`, `{ token: { realm, service, issuer, rootcertbundle } }`. */
  readonly auth?: object;
}

/** Takes a free port by itself. Throws when it is not up within 15 s, with the end of its log. */
export async function startDockerRegistry(
  binary: string,
  { host = '127.0.0.1', storage: given, tls, auth }: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-registry-'));
  const storage = given ?? join(directory, 'storage');
  const configFile = join(directory, 'config.yml');
  const config = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: `${host}:0`, secret: randomBytes(16).toString('hex'), ...(tls ? { tls } : {}) },
    ...(auth ? { auth } : {}),
  };
  // JSON is YAML.
  await writeFile(configFile, JSON.stringify(config));
  const child = spawn(binary, ['serve', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
    await rm(directory, { recursive: true });
  };
  try {
    const address = await readAddress(child.stderr, ended);
    const blobPath = (digest: Digest): string => {
      const hex = digest.slice('sha256:'.length);
      return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    };
    const push: DockerRegistry['push'] = (layout, image, repository) =>
      pushImage({ layout, url: `http://${address}/v2/${repository}` }, image);
    return { address, pid: child.pid ?? -1, push, blobPath, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads its log until it says where it listens, and goes on reading, so that it never blocks on a full pipe. */
function readAddress(log: NodeJS.ReadableStream, ended: Promise<void>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string): void => reject(new Error(`docker-registry ${why}: ${text.slice(-LOG_LENGTH_MAX)}`));
    const timer = setTimeout(() => fail(`was not up within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    log.on('data', (chunk) => {
      text = `${text}${chunk}`.slice(-LOG_LENGTH_MAX);
      const found = /listening on (\d+\.\d+\.\d+\.\d+:\d+)/.exec(text);
      if (found?.[1] === undefined) return;
      clearTimeout(timer);
      resolve(found[1]);
    });
    // `ended` never rejects.
    void ended.then(() => {
      clearTimeout(timer);
      fail('ended');
    });
  });
}

interface PushTarget {
  readonly layout: string;
  /** `http://127.0.0.1:41234/v2/shop/web`. */
  readonly url: string;
}

/** Blobs first, then manifests, then the index: a registry takes nothing whose parts it lacks. */
async function pushImage(to: PushTarget, image: WrittenImage): Promise<void> {
  const blobs = new Set(image.manifests.flatMap(({ config, layers }) => [config, ...layers]));
  for (const digest of blobs) await pushBlob(to, digest);
  for (const { digest } of image.manifests) await pushManifest(to, digest, digest);
  await pushManifest(to, image.digest, image.tag);
}

/** Distribution-spec, "Pushing a blob monolithically", POST then PUT. */
async function pushBlob({ layout, url }: PushTarget, digest: Digest): Promise<void> {
  const started = await send(`${url}/blobs/uploads/`, { method: 'POST' }, 202);
  const upload = new URL(started.headers.get('location') ?? '', url);
  upload.searchParams.set('digest', digest);
  const body = await readLayoutBlob(layout, digest);
  await send(upload.href, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } }, 201);
}

async function pushManifest({ layout, url }: PushTarget, digest: Digest, version: string): Promise<void> {
  const body = await readLayoutBlob(layout, digest);
  // Written by `writeOciLayout`.
  const { mediaType } = JSON.parse(body.toString('utf8')) as { mediaType: string };
  await send(`${url}/manifests/${version}`, { method: 'PUT', body, headers: { 'content-type': mediaType } }, 201);
}

async function send(url: string, request: RequestInit, wanted: number): Promise<Response> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(PUSH_TIMEOUT_MS) });
  const text = await response.text();
  if (response.status === wanted) return response;
  throw new Error(`${request.method} ${url} was answered with ${response.status} instead of ${wanted}: ${text}`);
}
