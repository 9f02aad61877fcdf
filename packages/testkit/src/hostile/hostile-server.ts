/**
 * A peer that does whatever a test wants, byte by byte: on plain sockets, because an HTTP server of Node would refuse to
 * be so wrong. It reads whole requests and gives each to the behaviour of its path (`behaviours.ts`).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { createServer as createTlsServer } from 'node:tls';
import { waitFor } from '../wait-for.ts';

/** A longer request is cut off: no client of ours sends one. */
const REQUEST_BYTES_MAX = 1_048_576;
/** Connections that are tried until the system takes no more for a process that accepts none. */
const BACKLOG_TRIES_MAX = 64;
/** A connection over loopback that is not there after so long waits in a full backlog. */
const BACKLOG_WAIT_MS = 1_000;
const STOP_TIMEOUT_MS = 20_000;

export interface HostileRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** 1 for the first request that this behaviour gets, then 2, 3 … */
  readonly number: number;
}

/** Writes to the socket what it likes, at once or later; sockets are closed with the server. */
export type Behaviour = (socket: Socket, request: HostileRequest) => void;

export interface HostileServer {
  /** `127.0.0.1:41234` */
  readonly authority: string;
  /** `http://127.0.0.1:41234`, or `https://…`. */
  readonly origin: string;
  /** From now on requests whose path starts so behave so; the longest start counts. Answers the URL. */
  answerAt(start: string, behaviour: Behaviour): string;
  /** What was asked at that start, in the order of arrival. */
  requestsAt(start: string): readonly HostileRequest[];
  /** Bytes that the system took for answers at that start. */
  sentBytesAt(start: string): number;
  readonly connectionCount: () => number;
  close(): Promise<void>;
}

export interface HostileOptions {
  /** Standard: 127.0.0.1. */
  readonly host?: string;
  /** PEM texts; with them it speaks TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Sent as soon as somebody connects. */
  readonly greeting?: string;
}

interface Place {
  readonly behaviour: Behaviour;
  readonly requests: HostileRequest[];
  readonly sockets: Set<Socket>;
  closedBytes: number;
}

export async function startHostileServer({
  host = '127.0.0.1',
  tls,
  greeting = '',
}: HostileOptions = {}): Promise<HostileServer> {
  const places = new Map<string, Place>();
  const sockets = new Set<Socket>();
  let connectionCount = 0;
  const accept = (socket: Socket): void => {
    connectionCount += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Each place that is asked over it waits for its end.
    socket.setMaxListeners(0);
    // The other side may go whenever it likes.
    socket.on('error', () => undefined);
    if (greeting !== '') socket.write(greeting);
    readRequests(socket, (request) => dispatch(places, socket, request));
  };
  const server: Server = tls ? createTlsServer(tls, accept) : createServer(accept);
  // A failed handshake is what some tests are about.
  server.on('tlsClientError', () => undefined);
  server.listen(0, host);
  await once(server, 'listening');
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const origin = `${tls ? 'https' : 'http'}://${authority}`;
  return {
    authority,
    origin,
    answerAt(start, behaviour) {
      places.set(start, { behaviour, requests: [], sockets: new Set(), closedBytes: 0 });
      return `${origin}${start}`;
    },
    requestsAt: (start) => places.get(start)?.requests ?? [],
    sentBytesAt(start) {
      const place = places.get(start);
      return [...(place?.sockets ?? [])].reduce((sum, socket) => sum + takenBytes(socket), place?.closedBytes ?? 0);
    },
    connectionCount: () => connectionCount,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function takenBytes(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

function dispatch(places: ReadonlyMap<string, Place>, socket: Socket, request: Omit<HostileRequest, 'number'>): void {
  const [start] = [...places.keys()].filter((one) => request.path.startsWith(one)).sort((a, b) => b.length - a.length);
  const place = start === undefined ? undefined : places.get(start);
  if (!place) {
    socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  if (!place.sockets.has(socket)) {
    place.sockets.add(socket);
    socket.once('close', () => {
      place.sockets.delete(socket);
      place.closedBytes += takenBytes(socket);
    });
  }
  const numbered = { ...request, number: place.requests.length + 1 };
  place.requests.push(numbered);
  place.behaviour(socket, numbered);
}

/** Whole requests with a `content-length`, one after another; whatever else comes is never answered. */
function readRequests(socket: Socket, onRequest: (request: Omit<HostileRequest, 'number'>) => void): void {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    if (pending.byteLength > REQUEST_BYTES_MAX) {
      socket.destroy();
      return;
    }
    let found = takeRequest(pending);
    while (found) {
      pending = found.rest;
      onRequest(found.request);
      found = takeRequest(pending);
    }
  });
}

function takeRequest(bytes: Buffer): { request: Omit<HostileRequest, 'number'>; rest: Buffer<ArrayBuffer> } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [first = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const [method = '', path = ''] = first.split(' ');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const bodyAt = headEnd + 4;
  const end = bodyAt + Number(headers['content-length'] ?? 0);
  if (bytes.byteLength < end) return null;
  const body = bytes.subarray(bodyAt, end).toString('utf8');
  return { request: { method, path, headers, body }, rest: Buffer.from(bytes.subarray(end)) };
}

export interface FullBacklog {
  /** `http://127.0.0.1:41234`: a connection to it is neither taken nor refused. */
  readonly origin: string;
  close(): Promise<void>;
}

/** A process that listens and is stopped, with as many connections waiting as the system keeps for it. */
export async function startFullBacklog(host = '127.0.0.1'): Promise<FullBacklog> {
  const script = `const s = require('node:net').createServer().listen(0, '${host}', 1, () => console.log(s.address().port))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  // It prints its port first.
  const [line] = (await once(lines, 'line')) as [string];
  const port = Number(line);
  child.kill('SIGSTOP');
  const waiting: Socket[] = [];
  let isFull = false;
  while (!isFull && waiting.length < BACKLOG_TRIES_MAX) {
    const socket = connect(port, host).on('error', () => undefined);
    waiting.push(socket);
    isFull = await isLeftWaiting(socket);
  }
  return {
    origin: `http://${host}:${port}`,
    async close() {
      for (const socket of waiting) socket.destroy();
      child.kill('SIGKILL');
      await ended;
      await waitFor(() => waiting.every((socket) => socket.closed), { timeoutMs: STOP_TIMEOUT_MS, why: 'all closed' });
    },
  };
}

function isLeftWaiting(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(true), BACKLOG_WAIT_MS);
    socket.once('connect', () => {
      clearTimeout(late);
      resolve(false);
    });
  });
}
