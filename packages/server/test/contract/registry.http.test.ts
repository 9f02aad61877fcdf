/** What only a registry over HTTP can do wrong: statuses, redirects, headers, hanging. Answers are scripted. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ArtifactSource, type Digest, digestOf } from '@stella/domain';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpClient, HttpRequest } from '../../src/ports/http-client.ts';
import type { Registry } from '../../src/ports/registry.ts';
import { DOCUMENT_BYTES_MAX } from '../../src/registry/manifest.ts';
import { makeRegistry } from '../../src/registry/open-registry.ts';
import { makeHttpClient } from '../../src/system/http-client.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { NOTHING_DECLARED } from './nothing-declared.ts';
import { codeOf, readAll } from './registry.contract.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONTENT = 'the content of a layer';
const LAYER = { mediaType: 'text/plain', digest: digestOf(CONTENT), sizeBytes: CONTENT.length };
const CONFIG = { mediaType: 'application/json', digest: digestOf('{}'), size: 2 };
const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: CONFIG, layers: [] });
const MANIFEST_DIGEST = digestOf(MANIFEST);

const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function serve(answer: Answer): Promise<Server> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closings.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return server;
}

function makeSignal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

function addressOf(server: Server): string {
  // Listening on TCP, so the address is one of TCP.
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function registryOver(http: HttpClient): Registry {
  return makeRegistry({
    accesses: NOTHING_DECLARED,
    http,
    fileSystem: nodeFileSystem,
    clock: nodeClock,
    layoutRoots: [],
  });
}

async function openScripted(answer: Answer): Promise<{ registry: Registry; source: ArtifactSource; server: Server }> {
  const server = await serve(answer);
  const http = makeHttpClient({ allowedRanges: ['127.0.0.0/8'] });
  closings.push(() => http.close());
  return {
    registry: registryOver(http),
    source: { kind: 'registry', registry: addressOf(server), repository: 'shop/web' },
    server,
  };
}

async function resolveWith(answer: Answer): Promise<readonly [string, string]> {
  const { registry, source } = await openScripted(answer);
  return codeOf(registry.resolve({ source, tag: '1.0', digest: null }));
}

const withManifest =
  (headers: Readonly<Record<string, string>>, body = MANIFEST): Answer =>
  (_request, response) => {
    response.writeHead(200, headers).end(body);
  };

describe('statuses', () => {
  it.each([
    [401, 'registry.denied'],
    [403, 'registry.denied'],
    [404, 'registry.tag_not_found'],
    [400, 'registry.unreachable'],
    [429, 'registry.unreachable'],
    [500, 'registry.unreachable'],
    [503, 'registry.unreachable'],
    [204, 'registry.unreachable'],
    [206, 'registry.unreachable'],
    [307, 'registry.unreachable'],
  ])('%i is %s', async (status, code) => {
    const [given] = await resolveWith((_request, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect(given).toBe(code);
  });

  it('a registry that is down is unreachable, and named', async () => {
    const { registry, source, server } = await openScripted(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    const [code, message] = await codeOf(registry.resolve({ source, tag: '1.0', digest: null }));
    expect(code).toBe('registry.unreachable');
    expect(message).toContain(source.kind === 'registry' ? source.registry : '');
  });

  it('a connection that breaks in the middle of a manifest is unreachable', async () => {
    const [code] = await resolveWith((_request, response) => {
      response.writeHead(200, { 'content-type': MANIFEST_TYPE, 'content-length': String(MANIFEST.length) });
      response.write(MANIFEST.slice(0, 10), () => response.destroy());
    });
    expect(code).toBe('registry.unreachable');
  });

  it('an answer that is not wanted is closed, even when its body never ends', async () => {
    const closing = makeSignal();
    const [code] = await resolveWith((request, response) => {
      request.socket.once('close', closing.give);
      response.writeHead(500, { 'content-length': '100' });
      response.flushHeaders();
    });
    expect(code).toBe('registry.unreachable');
    await closing.given;
  });
});

describe('headers of a manifest', () => {
  it('asks for every media type that is understood, and for bytes as they are', async () => {
    const seen: IncomingMessage['headers'][] = [];
    const { registry, source } = await openScripted((request, response) => {
      seen.push(request.headers);
      withManifest({ 'content-type': MANIFEST_TYPE })(request, response);
    });
    await registry.resolve({ source, tag: '1.0', digest: null });
    expect(seen[0]?.accept?.split(', ')).toEqual([
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.docker.distribution.manifest.list.v2+json',
    ]);
    expect(seen[0]?.['accept-encoding']).toBe('identity');
  });

  it.each<[string, Record<string, string>]>([
    ['no digest header', { 'content-type': MANIFEST_TYPE }],
    ['its digest', { 'content-type': MANIFEST_TYPE, 'docker-content-digest': MANIFEST_DIGEST }],
    [
      'a digest of another kind',
      { 'content-type': MANIFEST_TYPE, 'docker-content-digest': `sha512:${'0'.repeat(128)}` },
    ],
    ['parameters in its media type', { 'content-type': `${MANIFEST_TYPE}; charset=utf-8` }],
    ['no media type', {}],
  ])('takes a manifest with %s', async (_what, headers) => {
    const { registry, source } = await openScripted(withManifest(headers));
    const resolved = await registry.resolve({ source, tag: '1.0', digest: null });
    expect(resolved).toEqual({ source, digest: MANIFEST_DIGEST, mediaType: MANIFEST_TYPE });
  });

  it.each<[string, Record<string, string>, string]>([
    [
      'the digest of other bytes',
      { 'content-type': MANIFEST_TYPE, 'docker-content-digest': digestOf('x') },
      'registry.digest_mismatch',
    ],
    ['another media type', { 'content-type': 'application/vnd.oci.image.index.v1+json' }, 'registry.bad_manifest'],
    ['a foreign media type', { 'content-type': 'application/json' }, 'registry.bad_manifest'],
  ])('refuses a manifest with %s', async (_what, headers, code) => {
    expect((await resolveWith(withManifest(headers)))[0]).toBe(code);
  });

  it('does not believe a digest header for other bytes than were asked for', async () => {
    const wanted = digestOf('wanted');
    const headers = { 'content-type': MANIFEST_TYPE, 'docker-content-digest': wanted };
    const { registry, source } = await openScripted(withManifest(headers));
    expect((await codeOf(registry.readDocument(source, wanted)))[0]).toBe('registry.digest_mismatch');
  });

  it('refuses a manifest over the limit without reading on, however it is announced', async () => {
    let sentBytes = 0;
    const [code] = await resolveWith((_request, response) => {
      response.writeHead(200, { 'content-type': MANIFEST_TYPE });
      const chunk = Buffer.alloc(65_536, 32);
      const more = (): void => {
        sentBytes += chunk.byteLength;
        if (!response.destroyed) response.write(chunk, more);
      };
      more();
    });
    expect(code).toBe('registry.limit');
    expect(sentBytes).toBeLessThan(DOCUMENT_BYTES_MAX * 8);
  });
});

describe('redirects of a blob', () => {
  const redirecting =
    (location: string, final: Answer): Answer =>
    (request, response) => {
      if (request.url?.startsWith('/v2/')) response.writeHead(307, { location }).end();
      else final(request, response);
    };
  const withContent: Answer = (_request, response) => {
    response.end(CONTENT);
  };

  it('are followed once on the same host', async () => {
    const { registry, source } = await openScripted(redirecting('/storage/blob?signed=1', withContent));
    expect((await readAll(registry.readBlob(source, LAYER))).toString()).toBe(CONTENT);
  });

  it('are not followed twice', async () => {
    const { registry, source } = await openScripted(
      redirecting('/storage', (_request, response) => {
        response.writeHead(302, { location: '/storage/2' }).end();
      }),
    );
    expect((await codeOf(readAll(registry.readBlob(source, LAYER))))[0]).toBe('registry.unreachable');
  });

  it.each(['http://127.0.0.1:1/blob', '//127.0.0.1:1/blob', 'file:///etc/passwd', 'http://[', ''])(
    'are not followed to %j',
    async (location) => {
      const { registry, source } = await openScripted(redirecting(location, withContent));
      const [code, message] = await codeOf(readAll(registry.readBlob(source, LAYER)));
      expect([code, message]).toEqual(['registry.unreachable', expect.stringContaining('redirect')]);
    },
  );

  it('that are not followed are closed, even when their body never ends', async () => {
    const closing = makeSignal();
    const { registry, source } = await openScripted((request, response) => {
      request.socket.once('close', closing.give);
      response.writeHead(307, { location: 'http://127.0.0.1:1/', 'content-length': '100' });
      response.flushHeaders();
    });
    expect((await codeOf(readAll(registry.readBlob(source, LAYER))))[0]).toBe('registry.unreachable');
    await closing.given;
  });

  it('are not followed to another server that would have the bytes', async () => {
    let isAsked = false;
    const other = await serve((request, response) => {
      isAsked = true;
      withContent(request, response);
    });
    const { registry, source } = await openScripted(redirecting(`http://${addressOf(other)}/blob`, withContent));
    expect((await codeOf(readAll(registry.readBlob(source, LAYER))))[0]).toBe('registry.unreachable');
    expect(isAsked).toBe(false);
  });
});

describe('blobs', () => {
  it('are given up when far more comes than was promised', async () => {
    const { registry, source } = await openScripted((_request, response) => {
      response.end(Buffer.alloc(8 * 1_024 * 1_024));
    });
    expect((await codeOf(readAll(registry.readBlob(source, LAYER))))[0]).toBe('registry.digest_mismatch');
  });

  it('may be empty', async () => {
    const { registry, source } = await openScripted((_request, response) => {
      response.end();
    });
    const empty = { mediaType: 'text/plain', digest: digestOf(''), sizeBytes: 0 };
    expect((await readAll(registry.readBlob(source, empty))).byteLength).toBe(0);
  });

  it('close their connection when the reader leaves', async () => {
    const closing = makeSignal();
    const { registry, source } = await openScripted((request, response) => {
      request.socket.once('close', closing.give);
      response.writeHead(200);
      // More than one chunk, so that the first is handed out, and then silence.
      response.write(Buffer.alloc(1_000_000));
    });
    for await (const chunk of registry.readBlob(source, { ...LAYER, sizeBytes: 2_000_000 })) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    await closing.given;
  });
});

describe('addresses', () => {
  function recording(): { requests: HttpRequest[]; http: HttpClient } {
    const requests: HttpRequest[] = [];
    const http: HttpClient = {
      request: async (request) => {
        requests.push(request);
        return { status: 404, headers: {}, body: (async function* () {})() };
      },
    };
    return { requests, http };
  }

  it.each([
    ['127.0.0.1:5000', 'http:'],
    ['127.9.9.9', 'http:'],
    ['localhost:5000', 'http:'],
    ['[::1]:5000', 'http:'],
    ['registry.example', 'https:'],
    ['127.0.0.1.example:5000', 'https:'],
    ['localhost.example', 'https:'],
    ['10.0.0.1:5000', 'https:'],
  ])('%s is asked by %s', async (registry, protocol) => {
    const { requests, http } = recording();
    const source: ArtifactSource = { kind: 'registry', registry, repository: 'shop/web' };
    const digest: Digest = digestOf('x');
    await codeOf(registryOver(http).resolve({ source, tag: null, digest }));
    expect(requests[0]?.url).toBe(`${protocol}//${registry}/v2/shop/web/manifests/${digest}`);
  });

  it('that are not allowed are named with the setting', async () => {
    const http = makeHttpClient({ allowedRanges: ['10.0.0.0/8'] });
    closings.push(() => http.close());
    const source: ArtifactSource = { kind: 'registry', registry: '127.0.0.1:9', repository: 'web' };
    const call = registryOver(http).resolve({ source, tag: '1', digest: null });
    await expect(call).rejects.toHaveProperty('hint', 'allow the address in STELLA_OUTGOING_ALLOW');
  });
});
