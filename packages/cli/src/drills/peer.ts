/**
 * The other side of a drill: a service that a gate, a health check and a judge ask, a registry, and where it has keys for
 * them TLS and a host over SSH, on real sockets. It behaves as the file with its modes says, which the commands of drills write, and ends when its directory is gone.
 */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { blobPath, MANIFEST_TYPE } from './artifact.ts';
import { callBack } from './call-back.ts';
import { makeHeldLock } from './host/held-lock.ts';
import { readCertificate } from './own/certificates.ts';
import { makeHeldSessions } from './own/held-sessions.ts';
import { type Certificate, type DrillPlace, readAddress, readModes, type Reply, WELL, writeAddress } from './place.ts';

/** Between two looks at the modes. */
const LOOK_MS = 50;
/** Longer than any question of a gate. */
const QUESTION_BYTES_MAX = 1_048_576;
/** Nobody drills for so long: then it was forgotten. */
const LIFETIME_MS_MAX = 7 * 86_400_000;

/** Serves until the directory is gone, the signal aborts, or a week is over. `address`: what it listens on. */
export async function holdPeer(place: DrillPlace, address: string, signal: AbortSignal): Promise<void> {
  const service = makePort((request, response) => serve(place, request, response), address);
  const registry = makePort((request, response) => sendBlob(place, request, response), address);
  await service.open();
  await registry.open();
  const secure = existsSync(place.certificates) ? makeSecurePort(place, address) : null;
  await secure?.follow(readModes(place).certificate);
  // Loaded when it is needed: a drill seldom has a host.
  const ssh = existsSync(place.hostKeys) ? (await import('./host/ssh-host.ts')).makeSshHost(place, address) : null;
  let shown = readModes(place).hostKey;
  await ssh?.follow(shown);
  const tellAddress = (): void =>
    writeAddress(place, {
      pid: process.pid,
      service: service.host(),
      registry: registry.host(),
      secure: secure?.host() ?? null,
      ssh: ssh && { host: ssh.host(), shown },
    });
  tellAddress();
  const sessions = makeHeldSessions(place);
  const lock = makeHeldLock();
  const endsAtMs = Date.now() + LIFETIME_MS_MAX;
  try {
    while (!signal.aborted && existsSync(place.directory) && Date.now() < endsAtMs) {
      const modes = readModes(place);
      await (modes.isServiceOpen ? service.open() : service.close());
      await (modes.isRegistryOpen ? registry.open() : registry.close());
      await secure?.follow(modes.certificate);
      await sessions.follow(modes.sessions);
      lock.follow(modes.heldLock);
      await ssh?.follow(modes.hostKey);
      if (modes.hostKey !== shown) {
        shown = modes.hostKey;
        tellAddress();
      }
      await pause(LOOK_MS);
    }
  } finally {
    await sessions.follow(WELL.sessions);
    lock.follow(null);
    await secure?.follow(null);
    await ssh?.follow(null);
    await service.close();
    await registry.close();
  }
}

/** Its process lives; whether a port of it is closed is a matter of the drill. */
export function isPeerAlive(place: DrillPlace): boolean {
  const address = readAddress(place);
  if (!address) return false;
  try {
    return process.kill(address.pid, 0);
  } catch (error) {
    // Of another user, or none at all.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

interface Port {
  open(): Promise<void>;
  close(): Promise<void>;
  /** `127.0.0.1:41234`, the same whenever it is open. */
  host(): string;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;
type Listener = (request: IncomingMessage, response: ServerResponse) => void;

interface SecurePort {
  /** Open with this certificate from now on; null: closed. */
  follow(certificate: Certificate | null): Promise<void>;
  host(): string;
}

/** The service by TLS; another certificate means another listener on the same port. */
function makeSecurePort(place: DrillPlace, address: string): SecurePort {
  let used: Certificate | null = null;
  const port = makePort(
    (request, response) => serve(place, request, response),
    address,
    (listener) => createSecureServer(readCertificate(place, used ?? 'valid'), listener),
  );
  return {
    host: () => port.host(),
    async follow(certificate) {
      if (certificate === used) return;
      await port.close();
      used = certificate;
      if (used !== null) await port.open();
    },
  };
}

function makePort(answer: Answer, address: string, make: (listener: Listener) => Server = createServer): Port {
  // What goes wrong with one request, which may be cut off or come when the drill ends, is no matter of the others.
  const listener: Listener = (request, response) => void answer(request, response).catch(() => response.destroy());
  let server: Server | null = null;
  let port = 0;
  return {
    host: () => `${address}:${port}`,
    async open() {
      if (server) return;
      const opened = make(listener);
      await new Promise<void>((resolve, reject) => opened.once('error', reject).listen(port, address, resolve));
      // It listens on a port.
      ({ port } = opened.address() as AddressInfo);
      server = opened;
    },
    async close() {
      const closed = server;
      server = null;
      if (!closed) return;
      closed.closeAllConnections();
      await new Promise<void>((resolve) => closed.close(() => resolve()));
    },
  };
}

const PAGES = ['health', 'judge', 'gate'] as const;

async function serve(place: DrillPlace, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const question = readText(request);
  const which = PAGES.find((page) => request.url?.startsWith(`/${page}`)) ?? 'gate';
  const startedAtMs = Date.now();
  // Ends when it has an answer, or when nobody waits for one any more.
  while (!response.closed && existsSync(place.directory)) {
    const reply: Reply = readModes(place)[which];
    if (reply.kind === 'answer' && Date.now() - startedAtMs >= reply.afterMs) {
      response.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.text);
      return;
    }
    if (reply.kind === 'acknowledgement') {
      response.writeHead(202).end();
      if (reply.isCalledBack) await callBack(place, await question);
      return;
    }
    await pause(LOOK_MS);
  }
  response.destroy();
}

/** What it asks; cut off when it goes away meanwhile, or asks for too long. */
async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > QUESTION_BYTES_MAX) request.destroy();
    else chunks.push(chunk);
  });
  await new Promise((resolve) => request.once('close', resolve).once('end', resolve));
  return Buffer.concat(chunks).toString('utf8');
}

/** The part of OCI's distribution-spec that is read: manifests and blobs by digest. */
async function sendBlob(place: DrillPlace, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, component = '', kind = '', digest = ''] =
    /^\/v2\/drill\/([a-z]+)\/(manifests|blobs)\/(sha256:[0-9a-f]{64})$/.exec(request.url ?? '') ?? [];
  const path = blobPath(place.layout, digest);
  const { registry } = readModes(place);
  if (registry === 'denied') return refuse(response, 403, 'DENIED');
  if (registry === 'missing' || digest === '' || !existsSync(path)) return refuse(response, 404, 'MANIFEST_UNKNOWN');
  const isHeld = (): boolean => kind === 'blobs' && readModes(place).heldComponent === component && !response.closed;
  while (isHeld()) await pause(LOOK_MS);
  const headers = {
    'content-type': kind === 'manifests' ? MANIFEST_TYPE : 'application/octet-stream',
    'docker-content-digest': digest,
    'content-length': statSync(path).size,
  };
  response.writeHead(200, headers);
  if (request.method === 'HEAD') response.end();
  else if (registry === 'other_bytes') response.end(' '.repeat(headers['content-length']));
  else createReadStream(path).pipe(response);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: 'of a drill' }] }));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
