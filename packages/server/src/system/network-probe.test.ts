/** A look at real sockets: each stage fails by its own code, within its time, and touches nothing else. */
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, it } from 'vitest';
import type { NetworkLook } from '../ports/network-probe.ts';
import { makeNetworkProbe } from './network-probe.ts';

const STAGE_TIMEOUT_MS = 20_000;
const SHORT_TIMEOUT_MS = 200;
const LOOPBACK = ['127.0.0.0/8', '::1/128'];

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0)) close();
});

async function portOf(server: Server, closeAll: () => void = () => undefined): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closes.push(() => {
    closeAll();
    server.close();
  });
  // It listens on a port.
  return (server.address() as AddressInfo).port;
}

function look(
  url: string,
  more: { stageTimeoutMs?: number; ranges?: readonly string[]; ca?: string } = {},
): Promise<NetworkLook> {
  const { stageTimeoutMs = STAGE_TIMEOUT_MS, ranges = LOOPBACK, ...trust } = more;
  const signal = new AbortController().signal;
  return makeNetworkProbe({ allowedRanges: ranges }).look({ url, method: 'HEAD', stageTimeoutMs, signal, ...trust });
}

const codesOf = ({ stages }: NetworkLook): unknown => stages.map(({ stage, code }) => `${stage} ${code ?? 'ok'}`);

describe('a connection alone', () => {
  const connect = (address: string, port: number, ranges: readonly string[] = LOOPBACK) =>
    makeNetworkProbe({ allowedRanges: ranges }).connect({
      address,
      port,
      stageTimeoutMs: STAGE_TIMEOUT_MS,
      signal: new AbortController().signal,
    });
  const words = (stages: Awaited<ReturnType<typeof connect>>): unknown =>
    stages.map(({ stage, code }) => `${stage} ${code ?? 'ok'}`);

  it('is made and ended without a byte, to addresses that may be reached', async () => {
    let bytesCount = 0;
    let isEnded = false;
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (bytesCount += chunk.length));
      socket.on('close', () => (isEnded = true));
    });
    const port = await portOf(server);
    expect(words(await connect('127.0.0.1', port))).toEqual(['dns probe.skipped', 'tcp ok']);
    expect(words(await connect('localhost', port))).toEqual(['dns ok', 'tcp ok']);
    expect(words(await connect('127.0.0.1', port, ['10.0.0.0/8']))).toEqual(['dns tcp.forbidden', 'tcp probe.skipped']);
    await new Promise((resolve) => server.close(resolve));
    expect([bytesCount, isEnded]).toEqual([0, true]);
    expect(words(await connect('127.0.0.1', port))).toEqual(['dns probe.skipped', 'tcp tcp.refused']);
  });
});

describe('a look at an address', () => {
  it('asks one HEAD over the connection that it measured, and says the status', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(405).end();
    });
    let connectionCount = 0;
    server.on('connection', () => (connectionCount += 1));
    const port = await portOf(server, () => server.closeAllConnections());
    const found = await look(`http://localhost:${port}/api?x=1`);
    expect(codesOf(found)).toEqual(['dns ok', 'tcp ok', 'tls probe.skipped']);
    expect(found.answer).toMatchObject({ kind: 'status', status: 405 });
    expect(asked).toEqual(['HEAD /api?x=1']);
    expect(connectionCount).toBe(1);
  });

  it('names what is not there: dns.not_found, tcp.refused, tcp.forbidden', async () => {
    const unknown = await look('http://no-such-host.invalid/');
    expect(unknown.stages[0]).toMatchObject({ stage: 'dns', outcome: 'failed' });
    expect(['dns.not_found', 'dns.failed']).toContain(unknown.stages[0]?.code);
    const server = createTcpServer();
    const port = await portOf(server);
    for (const close of closes.splice(0)) close();
    expect((await look(`http://127.0.0.1:${port}/`)).stages[1]).toMatchObject({ stage: 'tcp', code: 'tcp.refused' });
    const elsewhere = await look(`http://127.0.0.1:${port}/`, { ranges: ['10.0.0.0/8'] });
    expect(elsewhere.stages[0]).toMatchObject({ outcome: 'failed', code: 'tcp.forbidden' });
    expect(elsewhere.answer).toBeNull();
  });

  it('ends by its time where somebody listens and says nothing: answer.timeout, tls.timeout', async () => {
    const server = createTcpServer((socket) => {
      socket.resume().on('error', () => undefined);
      closes.push(() => socket.destroy());
    });
    const port = await portOf(server);
    const stageTimeoutMs = SHORT_TIMEOUT_MS;
    const silent = await look(`http://127.0.0.1:${port}/`, { stageTimeoutMs });
    expect(silent.answer).toMatchObject({ kind: 'failure', stage: { stage: 'answer', code: 'answer.timeout' } });
    const secure = await look(`https://127.0.0.1:${port}/`, { stageTimeoutMs });
    expect(secure.stages[2]).toMatchObject({ stage: 'tls', code: 'tls.timeout' });
  });

  it('says answer.bad and answer.reset for what is no HTTP, and for a hang-up', async () => {
    const chatter = createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-x\r\n'));
    const port = await portOf(chatter);
    const bad = await look(`http://127.0.0.1:${port}/`);
    expect(bad.answer).toMatchObject({ kind: 'failure', stage: { stage: 'answer', outcome: 'failed' } });
    const rude = createTcpServer((socket) => socket.on('error', () => undefined).once('data', () => socket.destroy()));
    const rudePort = await portOf(rude);
    const reset = await look(`http://127.0.0.1:${rudePort}/`);
    expect(reset.answer).toMatchObject({ kind: 'failure', stage: { code: 'answer.reset' } });
  });

  it('tells until when a certificate is valid, and says tls.untrusted or tls.expired', async () => {
    const untrusted = await lookAtCertificate({ fromDaysAgo: 1, toDays: 30 });
    expect(untrusted.stages[2]).toMatchObject({ stage: 'tls', outcome: 'failed', code: 'tls.untrusted' });
    expect(untrusted.stages[2]?.detail).toMatch(/certificate until \d{4}-\d\d-\d\d/);
    expect(untrusted.answer).toBeNull();
    const expired = await lookAtCertificate({ fromDaysAgo: 9, toDays: -1 });
    expect(expired.stages[2]).toMatchObject({ outcome: 'failed', code: 'tls.expired' });
  });

  it('compares an address with the addresses of a certificate, and says tls.wrong_name of another one', async () => {
    const made = await generate([{ name: 'commonName', value: 'a registry' }], {
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
    });
    const server = createTlsServer({ key: made.private, cert: made.cert }, (_request, response) => response.end());
    const port = await portOf(server, () => server.closeAllConnections());
    const [own, other] = await Promise.all([
      look(`https://127.0.0.1:${port}/`, { ca: made.cert }),
      look(`https://localhost:${port}/`, { ca: made.cert }),
    ]);
    expect(own.stages[2]).toMatchObject({ stage: 'tls', outcome: 'ok' });
    expect(other.stages[2]).toMatchObject({ outcome: 'failed', code: 'tls.wrong_name' });
  });
});

async function lookAtCertificate(validity: { fromDaysAgo: number; toDays: number }): Promise<NetworkLook> {
  const dayMs = 86_400_000;
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    notBeforeDate: new Date(Date.now() - validity.fromDaysAgo * dayMs),
    notAfterDate: new Date(Date.now() + validity.toDays * dayMs),
    algorithm: 'sha256',
  });
  const server = createTlsServer({ key: made.private, cert: made.cert }, (_request, response) => response.end());
  const port = await portOf(server, () => server.closeAllConnections());
  return look(`https://localhost:${port}/`);
}
