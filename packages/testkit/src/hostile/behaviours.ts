/** What a hostile peer may do with one request: building blocks for the tables of the tests. */
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Behaviour } from './hostile-server.ts';

export interface AnswerOptions {
  /** Standard: 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A right answer in one piece: head with `content-length`, then the body; the connection stays open. */
export function answer(body: string | Uint8Array, options: AnswerOptions = {}): Behaviour {
  return (socket) => {
    socket.write(headOf(Buffer.byteLength(body), options));
    socket.write(body);
  };
}

/** The head of an answer whose body shall have that length, true or not. */
export function headOf(length: number, { status = 200, headers = {} }: AnswerOptions = {}): string {
  const lines = Object.entries({ 'content-length': String(length), ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return [`HTTP/1.1 ${status} Whatever`, ...lines, '', ''].join('\r\n');
}

/** Exactly these bytes; the connection stays open. */
export function raw(text: string | Uint8Array): Behaviour {
  return (socket) => void socket.write(text);
}

/** Exactly these bytes, and the end of the connection. */
export function rawThenEnd(text: string | Uint8Array): Behaviour {
  return (socket) => void socket.end(text);
}

/** These bytes, when they are gone a reset (RST). */
export function rawThenReset(text: string): Behaviour {
  return (socket) => void socket.write(text, () => socket.resetAndDestroy());
}

/** Reads the request and says nothing, for ever. */
export const hang: Behaviour = () => undefined;

/** One byte after another with a pause between them, for ever; a text that is through begins again. */
export function drip(text: string, everyMs: number): Behaviour {
  const bytes = Buffer.from(text);
  return (socket) => {
    let at = 0;
    const timer = setInterval(() => {
      socket.write(bytes.subarray(at % bytes.byteLength, (at % bytes.byteLength) + 1));
      at += 1;
    }, everyMs);
    socket.once('close', () => clearInterval(timer));
  };
}

/** `first`, then `piece` again and again as fast as it is taken, until the other side has had enough. */
export function endless(first: string, piece: string | Uint8Array): Behaviour {
  return (socket) => {
    socket.write(first);
    pour(socket, piece);
  };
}

function pour(socket: Socket, piece: string | Uint8Array): void {
  socket.write(piece, (error) => {
    // Not from within the call, which would go deeper each time.
    if (!error && !socket.destroyed) setImmediate(() => pour(socket, piece));
  });
}

export function redirectTo(location: string, status = 302): Behaviour {
  return answer('', { status, headers: { location } });
}

/** The first request gets the first behaviour, the second the second …; the last one stays. */
export function inTurn(...behaviours: readonly [Behaviour, ...Behaviour[]]): Behaviour {
  return (socket, request) => (behaviours[request.number - 1] ?? behaviours.at(-1) ?? behaviours[0])(socket, request);
}

/** The same, so much later. */
export function after(delayMs: number, behaviour: Behaviour): Behaviour {
  return (socket, request) => {
    const timer = setTimeout(() => behaviour(socket, request), delayMs);
    socket.once('close', () => clearTimeout(timer));
  };
}

/** Compressed, small enough for any limit; unpacked it has that many bytes. */
export function gzipBomb(unpackedBytes: number): Uint8Array {
  return gzipSync(Buffer.alloc(unpackedBytes, 32), { level: 9 });
}
