import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { makeBatchingSocket } from './batching-socket.ts';

it('sends what was written in one turn together, and later turns after it', async () => {
  const received: string[] = [];
  const server = createServer((peer) => peer.on('data', (chunk) => received.push(chunk.toString())));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const socket = makeBatchingSocket();
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const write = (text: string): void => {
    socket.cork();
    socket.write(text);
    socket.write('.');
    socket.uncork();
  };
  write('a');
  await Promise.resolve();
  write('b');
  expect(socket.writableLength).toBe(4);
  await new Promise((resolve) => setImmediate(resolve));
  expect(socket.writableCorked).toBe(0);
  write('c');
  await new Promise<void>((resolve) => socket.end(resolve));
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect(received.join('')).toBe('a.b.c.');
});
