/** Who we are at a registry: Basic, tokens of a token server, certificates of an own authority. Peers are real servers. */
import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type ArtifactSource, digestOf, isAppError, type RegistryDefinition } from '@stella/domain';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, it } from 'vitest';
import type { Registry } from '../../src/ports/registry.ts';
import { makeRegistry } from '../../src/registry/open-registry.ts';
import { makeRegistryAccesses } from '../../src/registry/registry-accesses.ts';
import { makeHttpClient } from '../../src/system/http-client.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { makeSecrets } from '../../src/webhooks/read-secret.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = { mediaType: 'application/json', digest: digestOf('{}'), size: 2 };
const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: CONFIG, layers: [] });
const DIGEST = digestOf(MANIFEST);
const PASSWORD = 'made-up word';
const BASIC = `Basic ${Buffer.from(`ci:${PASSWORD}`).toString('base64')}`;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

interface Peer {
  readonly host: string;
  /** `GET /v2/… <Authorization>` of each request. */
  readonly asked: string[];
}

async function serve(answer: Answer, { tls, address = '127.0.0.1' }: PeerOptions = {}): Promise<Peer> {
  const asked: string[] = [];
  const listener: Answer = (request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? 'nobody'}`);
    answer(request, response);
  };
  const server: Server = tls ? createSecure(tls, listener) : createPlain(listener);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  closings.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  // Listening on TCP, so the address is one of TCP.
  return { host: `${address}:${(server.address() as AddressInfo).port}`, asked };
}

interface PeerOptions {
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly address?: string;
}

const giveManifest = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(MANIFEST);
};

/** Lets in who sends the value. */
const guarded =
  (challenge: () => string, expected: () => string): Answer =>
  (request, response) => {
    if (request.headers.authorization === expected()) giveManifest(response);
    else response.writeHead(401, { 'www-authenticate': challenge() }).end('{"errors":[]}');
  };

interface World {
  readonly registry: Registry;
  readonly env: Record<string, string>;
  /** Milliseconds that the clock of grants is ahead. */
  readonly ahead: (durationMs: number) => void;
  readonly read: (host: string) => Promise<string>;
}

function openWorld(definition: Partial<RegistryDefinition> | null): World {
  const env: Record<string, string> = { STELLA_SECRET_REGISTRY: PASSWORD };
  let aheadMs = 0;
  const http = makeHttpClient({ allowedRanges: ['127.0.0.1/32'] });
  closings.push(() => http.close());
  const whole: RegistryDefinition | null = definition && {
    host: 'any',
    login: { kind: 'password', username: 'ci', password: 'env:STELLA_SECRET_REGISTRY' },
    ca: null,
    isPlainHttp: true,
    ...definition,
  };
  const accesses = makeRegistryAccesses({
    reads: { findRegistry: () => Promise.resolve(whole) },
    secrets: makeSecrets({ env, fileSystem: nodeFileSystem, clock: nodeClock, directory: '/nowhere' }),
  });
  const clock = { ...nodeClock, monotonicMs: () => nodeClock.monotonicMs() + aheadMs };
  const registry = makeRegistry({ http, accesses, fileSystem: nodeFileSystem, clock, layoutRoots: [] });
  const read = async (host: string): Promise<string> => {
    const source: ArtifactSource = { kind: 'registry', registry: host, repository: 'shop/web' };
    try {
      return (await registry.readDocument(source, DIGEST)).kind;
    } catch (error) {
      if (!isAppError(error)) throw error;
      if (JSON.stringify([error.message, error.hint, error.details]).includes(PASSWORD))
        throw new Error('it tells', { cause: error });
      return `${error.code}: ${error.message}`;
    }
  };
  return {
    registry,
    env,
    read,
    ahead: (durationMs) => {
      aheadMs += durationMs;
    },
  };
}

describe('a password', () => {
  const basic = guarded(
    () => 'Basic realm="here"',
    () => BASIC,
  );

  it('is sent when the registry asks for it, and without being asked again for a while', async () => {
    const peer = await serve(basic);
    const { read, ahead } = openWorld({});
    expect([await read(peer.host), await read(peer.host)]).toEqual(['manifest', 'manifest']);
    expect(peer.asked.map((one) => one.split(' ').slice(1).join(' '))).toEqual(['nobody', BASIC, BASIC]);
    ahead(5 * 60_000);
    await read(peer.host);
    expect(peer.asked.slice(3).map((one) => one.endsWith('nobody'))).toEqual([true, false]);
  });

  it('that is wrong is registry.credentials, and a corrected one counts at once', async () => {
    const peer = await serve(basic);
    const { read, env } = openWorld({});
    env['STELLA_SECRET_REGISTRY'] = 'another word';
    expect(await read(peer.host)).toMatch(/^registry\.credentials: .*user "ci"/);
    env['STELLA_SECRET_REGISTRY'] = PASSWORD;
    expect(await read(peer.host)).toBe('manifest');
  });

  it('that cannot be read is registry.credentials, and nobody is asked', async () => {
    const peer = await serve(basic);
    const { read, env } = openWorld({});
    delete env['STELLA_SECRET_REGISTRY'];
    expect(await read(peer.host)).toMatch(/^registry\.credentials: .*no variable STELLA_SECRET_REGISTRY/);
    expect(peer.asked).toEqual([]);
  });

  it('goes nowhere where none is declared, or none is asked for', async () => {
    const peer = await serve(basic);
    expect(await openWorld(null).read(peer.host)).toMatch(/^registry\.denied/);
    const open = await serve((_request, response) => giveManifest(response));
    expect(await openWorld({}).read(open.host)).toBe('manifest');
    const odd = await serve(
      guarded(
        () => 'Negotiate',
        () => 'no',
      ),
    );
    expect(await openWorld({}).read(odd.host)).toMatch(/^registry\.credentials: .*no kind of login/);
    expect([...peer.asked, ...open.asked, ...odd.asked].every((one) => one.endsWith(' nobody'))).toBe(true);
  });

  it('is never sent after a redirect to another host', async () => {
    const elsewhere = await serve((_request, response) => giveManifest(response));
    const peer = await serve((request, response) => {
      if (request.headers.authorization !== BASIC) basic(request, response);
      else response.writeHead(307, { location: `http://${elsewhere.host}/v2/` }).end();
    });
    const { registry } = openWorld({});
    const source: ArtifactSource = { kind: 'registry', registry: peer.host, repository: 'shop/web' };
    const layer = { mediaType: 'text/plain', digest: DIGEST, sizeBytes: MANIFEST.length };
    const chunks = registry.readBlob(source, layer)[Symbol.asyncIterator]();
    await expect(chunks.next()).rejects.toThrow('redirects to another host');
    expect(elsewhere.asked).toEqual([]);
  });
});

describe('a token', () => {
  interface Issuing {
    readonly registry: Peer;
    readonly issuer: Peer;
  }

  async function openIssuing(
    answer: Answer = (_request, response) => response.end('{"token":"first","expires_in":300}'),
    current: () => string = () => 'first',
  ): Promise<Issuing> {
    const issuer = await serve(answer);
    const challenge = (): string =>
      `Bearer realm="http://${issuer.host}/token?kept=1",service="registry.here",scope="repository:shop/web:pull,push"`;
    const registry = await serve(guarded(challenge, () => `Bearer ${current()}`));
    return { registry, issuer };
  }

  it('is asked for at the token server that the registry names, to read this repository alone', async () => {
    const { registry, issuer } = await openIssuing();
    const { read } = openWorld({});
    expect([await read(registry.host), await read(registry.host)]).toEqual(['manifest', 'manifest']);
    expect(issuer.asked).toEqual([`/token?kept=1&service=registry.here&scope=repository%3Ashop%2Fweb%3Apull ${BASIC}`]);
    expect(registry.asked.map((one) => one.split(' ').slice(1).join(' '))).toEqual([
      'nobody',
      'Bearer first',
      'Bearer first',
    ]);
  });

  it('is asked for as anybody where nobody has declared the registry', async () => {
    const { registry, issuer } = await openIssuing();
    expect(await openWorld(null).read(registry.host)).toBe('manifest');
    expect(issuer.asked.map((one) => one.split(' ')[1])).toEqual(['nobody']);
  });

  it('is asked for anew when it expires, and once when it is refused before', async () => {
    let token = 'first';
    const { registry, issuer } = await openIssuing(
      (_request, response) => response.end(JSON.stringify({ access_token: token, expires_in: 300 })),
      () => token,
    );
    const { read, ahead } = openWorld({});
    await read(registry.host);
    ahead(294_000);
    await read(registry.host);
    expect(issuer.asked).toHaveLength(1);
    ahead(2_000);
    await read(registry.host);
    expect(issuer.asked).toHaveLength(2);
    token = 'revoked-the-first';
    expect(await read(registry.host)).toBe('manifest');
    expect(issuer.asked).toHaveLength(3);
  });

  it.each([
    ['refuses us', 401, '{}', /^registry\.credentials: .*status 401 for user "ci"/],
    ['has a fault', 500, '{}', /^registry\.unreachable: .*status 500/],
    ['redirects', 302, '', /^registry\.unreachable: .*status 302/],
    ['gives none', 200, '{"expires_in":300}', /^registry\.unreachable: .*no token/],
    ['gives one that is no header', 200, '{"token":"a\\r\\nb: c"}', /^registry\.unreachable: .*no token/],
    ['gives no JSON', 200, 'made-up word', /^registry\.unreachable: .*no token/],
    ['gives too much', 200, `{"token":"${'a'.repeat(70_000)}"}`, /^registry\.unreachable: .*larger than/],
  ])('server that %s', async (_what, status, body, expected) => {
    const { registry } = await openIssuing((_request, response) => {
      response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body);
    });
    expect(await openWorld({}).read(registry.host)).toMatch(expected);
  });

  it('that the registry does not take is registry.credentials, and is not asked for without end', async () => {
    const { registry, issuer } = await openIssuing(undefined, () => 'another');
    expect(await openWorld({}).read(registry.host)).toMatch(/^registry\.credentials/);
    expect(issuer.asked).toHaveLength(1);
  });

  it('server is within the allowed addresses and spoken to over TLS, or gets nothing', async () => {
    const inside = await serve((_request, response) => response.end('{"token":"first"}'), { address: '127.0.0.2' });
    const realmOf = async (realm: string): Promise<string> => {
      const peer = await serve(
        guarded(
          () => `Bearer realm="${realm}"`,
          () => 'Bearer first',
        ),
      );
      return openWorld({}).read(peer.host);
    };
    expect(await realmOf(`http://${inside.host}/token`)).toMatch(/^registry\.unreachable: .*127\.0\.0\.2/);
    expect(await realmOf('http://auth.example/token')).toMatch(/^registry\.tls: .*not spoken to over TLS/);
    expect(await realmOf('https://ci:word@auth.example/token')).toMatch(/^registry\.tls/);
    expect(await realmOf('/token')).toMatch(/^registry\.tls/);
    expect(inside.asked).toEqual([]);
  });

  it('that is declared goes to the registry itself, and its end is registry.credentials', async () => {
    let good = `Bearer ${PASSWORD}`;
    const peer = await serve(
      guarded(
        () => 'Bearer realm="http://127.0.0.1:1/token"',
        () => good,
      ),
    );
    const { read } = openWorld({ login: { kind: 'token', token: 'env:STELLA_SECRET_REGISTRY' } });
    expect(await read(peer.host)).toBe('manifest');
    good = 'Bearer renewed';
    expect(await read(peer.host)).toMatch(/^registry\.credentials: .*refuses the declared token/);
    expect(peer.asked).toHaveLength(2);
  });
});

describe('certificates', () => {
  it('of an own authority are believed where they are declared, and nowhere else', async () => {
    const made = await generate([{ name: 'commonName', value: 'a registry' }], {
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
    });
    const peer = await serve((_request, response) => giveManifest(response), {
      tls: { cert: made.cert, key: made.private },
    });
    const trusting = openWorld({ isPlainHttp: false, login: null, ca: 'env:STELLA_SECRET_CA' });
    trusting.env['STELLA_SECRET_CA'] = `${made.private}\n${made.cert}`;
    expect(await trusting.read(peer.host)).toBe('manifest');
    expect(await openWorld({ isPlainHttp: false, login: null }).read(peer.host)).toMatch(/^registry\.tls/);
    // What is not declared is asked without TLS on this machine.
    expect(await openWorld(null).read(peer.host)).toMatch(/^registry\.unreachable/);
  });

  it('that cannot be read, or are a key, are registry.tls', async () => {
    const world = openWorld({ isPlainHttp: false, login: null, ca: 'env:STELLA_SECRET_CA' });
    expect(await world.read('127.0.0.1:1')).toMatch(/^registry\.tls: .*no variable STELLA_SECRET_CA/);
    world.env['STELLA_SECRET_CA'] = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----';
    expect(await world.read('127.0.0.1:1')).toMatch(/^registry\.tls: .*no certificate in PEM/);
  });
});
