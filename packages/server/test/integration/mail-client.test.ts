/** The real mail client against a real SMTP server: TLS is verified, passwords go to nobody else, nothing waits for ever. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MailOrder } from '../../src/ports/mail-client.ts';
import { makeMailClient } from '../../src/system/mail-client.ts';
import { type MailServer, type MailServerOptions, startMailServer } from './mail-server.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const LOGIN = { user: 'stella', password: 'correct horse' };
const TIMEOUT_MS = 30_000;

let pem: { readonly key: string; readonly cert: string };
beforeAll(async () => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2_048,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  pem = { key: made.private, cert: made.cert };
});

const open: MailServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function start(options: MailServerOptions = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  open.push(server);
  return server;
}

function orderOf(port: number, more: Partial<MailOrder> = {}): MailOrder {
  return {
    host: 'localhost',
    port,
    tls: 'starttls',
    login: null,
    from: 'stella@example.org',
    to: ['ops@example.org'],
    messageId: '<ntf_1@example.org>',
    subject: '[stella] shop-1 → prod waits',
    text: 'shop-1 → prod waits\n',
    timeoutMs: TIMEOUT_MS,
    signal: new AbortController().signal,
    ...more,
  };
}

const send = (order: MailOrder, authorities: readonly string[] = [pem.cert], allowedRanges = LOOPBACK) =>
  makeMailClient({ allowedRanges, authorities }).send(order);

describe('mail', () => {
  it.each([
    ['starttls', false],
    ['implicit', true],
  ] as const)('goes over verified TLS (%s), logged in, with its id', async (tls, isImplicit) => {
    const server = await start({ tls: { ...pem, isImplicit }, login: LOGIN });
    await send(orderOf(server.port, { tls, login: LOGIN }));
    expect(server.messages).toMatchObject([{ isSecure: true, user: 'stella', to: ['ops@example.org'] }]);
    expect(server.messages[0]?.text).toContain('Message-ID: <ntf_1@example.org>');
  });

  it('is not sent to a server whose certificate nobody vouches for, or that has another name', async () => {
    const server = await start({ tls: { ...pem, isImplicit: false } });
    await expect(send(orderOf(server.port), [])).rejects.toThrow(/self-signed certificate/);
    await expect(send(orderOf(server.port, { host: '127.0.0.1' }))).rejects.toThrow(/127\.0\.0\.1|altnames/i);
    expect(server.messages).toEqual([]);
  });

  it('is not sent in clear text to a server that offers no TLS', async () => {
    const server = await start();
    await expect(send(orderOf(server.port))).rejects.toThrow(/STARTTLS|TLS/);
    expect(server.messages).toEqual([]);
    await send(orderOf(server.port, { tls: 'none' }));
    expect(server.messages).toMatchObject([{ isSecure: false }]);
  });

  it('tells no password when the server repeats it', async () => {
    const server = await start({ tls: { ...pem, isImplicit: false }, login: LOGIN });
    const wrong = { user: 'stella', password: 'hunter2-hunter2' };
    const failure = await send(orderOf(server.port, { login: wrong })).catch((error: unknown) => String(error));
    expect(failure).toContain('no such user');
    expect(failure).not.toContain('hunter2');
  });

  it('goes to allowed addresses only', async () => {
    const server = await start();
    const forbidden = send(orderOf(server.port, { tls: 'none' }), [], ['10.0.0.0/8']);
    await expect(forbidden).rejects.toThrow(/is not in the allowed ranges/);
    const literal = send(orderOf(server.port, { tls: 'none', host: '127.0.0.1' }), [], ['10.0.0.0/8']);
    await expect(literal).rejects.toThrow(/is not in the allowed ranges/);
    expect(server.messages).toEqual([]);
  });

  it('ends in time when the server says nothing, and at once when it is given up', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    // It listens on a port.
    const { port } = silent.address() as AddressInfo;
    await expect(send(orderOf(port, { timeoutMs: 200 }))).rejects.toThrow(
      'the mail server did not take it within 200 ms',
    );
    const halt = new AbortController();
    const given = send(orderOf(port, { signal: halt.signal }));
    halt.abort();
    await expect(given).rejects.toThrow('it was given up');
    silent.close();
  });
});
