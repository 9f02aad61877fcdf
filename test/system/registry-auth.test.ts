/**
 * Who we are at Debian's docker-registry: passwords of htpasswd over TLS of an own authority, and tokens that a token server
 * of this test signs. Keys and passwords are made at run time.
 */
import { execFileSync } from 'node:child_process';
import { createPrivateKey, randomBytes, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAppError, type RegistryDefinition } from '@stella/domain';
import {
  type DockerRegistryOptions,
  findDockerRegistry,
  findProgram,
  startDockerRegistry,
  type WrittenImage,
  writeOciLayout,
} from '@stella/testkit';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRegistry } from '../../packages/server/src/registry/open-registry.ts';
import { makeRegistryAccesses } from '../../packages/server/src/registry/registry-accesses.ts';
import { makeHttpClient } from '../../packages/server/src/system/http-client.ts';
import { nodeClock } from '../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../packages/server/src/system/node-file-system.ts';
import { makeSecrets } from '../../packages/server/src/webhooks/read-secret.ts';

const binary = findDockerRegistry();
const htpasswd = findProgram('htpasswd');
const SERVICE = 'a-registry';
const ISSUER = 'a-token-server';
const REPOSITORY = 'shop/web';
const PASSWORD = randomBytes(12).toString('hex');

interface Pair {
  readonly cert: string;
  readonly key: string;
}

async function makePair(): Promise<Pair> {
  const made = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** A token as the registry checks it: signed by the key of the certificate that it comes with (RFC 7515, 4.1.6). */
function makeToken({ cert, key }: Pair, name: string): string {
  const x5c = [cert.replace(/-----[A-Z ]+-----|\s/g, '')];
  const nowS = Math.floor(Date.now() / 1_000);
  const head = { typ: 'JWT', alg: 'RS256', x5c };
  const access = [{ type: 'repository', name, actions: ['pull'] }];
  const times = { iat: nowS, nbf: nowS - 60, exp: nowS + 300 };
  const claims = { iss: ISSUER, sub: 'ci', aud: SERVICE, jti: randomBytes(8).toString('hex'), access, ...times };
  const text = [head, claims].map((one) => Buffer.from(JSON.stringify(one)).toString('base64url')).join('.');
  return `${text}.${sign('sha256', Buffer.from(text), createPrivateKey(key)).toString('base64url')}`;
}

describe.skipIf(binary === null || htpasswd === null)('docker-registry that wants to know who asks', () => {
  let directory = '';
  let pair: Pair;
  let image: WrittenImage;
  const closings: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stella-registry-auth-'));
    closings.push(() => rm(directory, { recursive: true }));
    pair = await makePair();
    await writeFile(join(directory, 'cert.pem'), pair.cert);
    await writeFile(join(directory, 'key.pem'), pair.key, { mode: 0o600 });
    const layout = join(directory, 'layout');
    const [written] = await writeOciLayout(layout, [{ tag: '1.0', files: { 'index.html': 'guarded' } }]);
    if (!written) throw new Error('nothing was written');
    image = written;
    const open = await start({});
    await open.push(layout, image, REPOSITORY);
  });
  afterAll(async () => {
    for (const close of closings.splice(0).reverse()) await close();
  });

  /** All of them on one storage: what the first is given, the guarded ones have. */
  async function start(options: DockerRegistryOptions): ReturnType<typeof startDockerRegistry> {
    const running = await startDockerRegistry(binary ?? '', { storage: join(directory, 'storage'), ...options });
    closings.push(() => running.stop());
    return running;
  }

  /** What reading the whole artifact comes to. */
  async function read(host: string, patch: Partial<RegistryDefinition>, password = PASSWORD): Promise<string> {
    const login = { kind: 'password', username: 'ci', password: 'env:STELLA_SECRET_REGISTRY' } as const;
    const definition: RegistryDefinition = { host, login, ca: 'env:STELLA_SECRET_CA', isPlainHttp: false, ...patch };
    const env = { STELLA_SECRET_REGISTRY: password, STELLA_SECRET_CA: pair.cert };
    const http = makeHttpClient({ allowedRanges: ['127.0.0.0/8'] });
    const accesses = makeRegistryAccesses({
      reads: { findRegistry: () => Promise.resolve(definition) },
      secrets: makeSecrets({ env, fileSystem: nodeFileSystem, clock: nodeClock, directory }),
    });
    const registry = makeRegistry({ http, accesses, fileSystem: nodeFileSystem, clock: nodeClock, layoutRoots: [] });
    try {
      const source = { kind: 'registry', registry: host, repository: REPOSITORY } as const;
      const { digest } = await registry.resolve({ source, tag: '1.0', digest: null });
      const document = await registry.readDocument(source, digest);
      if (document.kind !== 'manifest') return document.kind;
      let sizeBytes = 0;
      for (const layer of document.layers) {
        for await (const chunk of registry.readBlob(source, layer)) sizeBytes += chunk.byteLength;
      }
      return sizeBytes > 0 ? digest : 'empty';
    } catch (error) {
      if (isAppError(error)) return error.code;
      throw error;
    } finally {
      await http.close();
    }
  }

  it('by a password, over TLS of an own authority', async () => {
    const file = join(directory, 'htpasswd');
    await writeFile(file, execFileSync(htpasswd ?? '', ['-Bin', 'ci'], { input: PASSWORD }));
    const { address } = await start({
      tls: { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') },
      auth: { htpasswd: { realm: 'here', path: file } },
    });
    expect(await read(address, {})).toBe(image.digest);
    expect(await read(address, {}, 'another word')).toBe('registry.credentials');
    expect(await read(address, { login: null })).toBe('registry.denied');
    expect(await read(address, { ca: null })).toBe('registry.tls');
  });

  it('by a token of the token server that it names', async () => {
    const asked: string[] = [];
    const isOurs = ({ headers }: IncomingMessage): boolean =>
      headers.authorization === `Basic ${Buffer.from(`ci:${PASSWORD}`).toString('base64')}`;
    const issuer = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
      asked.push(new URL(request.url ?? '', 'https://any').searchParams.get('scope') ?? '');
      if (isOurs(request)) response.end(JSON.stringify({ token: makeToken(pair, REPOSITORY), expires_in: 300 }));
      else response.writeHead(401).end();
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    closings.push(async () => {
      issuer.closeAllConnections();
      await new Promise((resolve) => issuer.close(resolve));
    });
    // Listening on TCP, so the address is one of TCP.
    const realm = `https://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
    const rootcertbundle = join(directory, 'cert.pem');
    const { address } = await start({
      tls: { certificate: rootcertbundle, key: join(directory, 'key.pem') },
      auth: { token: { realm, service: SERVICE, issuer: ISSUER, rootcertbundle } },
    });
    expect(await read(address, {})).toBe(image.digest);
    // Once for tag, manifest and layers.
    expect(asked).toEqual([`repository:${REPOSITORY}:pull`]);
    expect(await read(address, {}, 'another word')).toBe('registry.credentials');
  });
});
