/** A real SMTP server on loopback that keeps what it was sent. */
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface MailServer {
  readonly port: number;
  readonly messages: readonly ReceivedMail[];
  close(): Promise<void>;
}

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Heads and body as they came. */
  readonly text: string;
  readonly isSecure: boolean;
  /** Who logged in; null: nobody. */
  readonly user: string | null;
}

export interface MailServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string; readonly isImplicit: boolean };
  /** Only who logs in so may send. */
  readonly login?: { readonly user: string; readonly password: string };
}

export async function startMailServer({ tls, login }: MailServerOptions = {}): Promise<MailServer> {
  const messages: ReceivedMail[] = [];
  const server = new SMTPServer({
    ...(tls ? { key: tls.key, cert: tls.cert, secure: tls.isImplicit } : {}),
    disabledCommands: [...(tls ? [] : ['STARTTLS']), ...(login ? [] : ['AUTH'])],
    authOptional: login === undefined,
    logger: false,
    onAuth(auth, _session, answer) {
      const isRight = login !== undefined && auth.username === login.user && auth.password === login.password;
      // A server that repeats what it was told, as some do.
      if (isRight) answer(null, { user: login.user });
      else answer(new Error(`no such user with password ${auth.password ?? ''}`));
    },
    onData(stream, session, answer) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        messages.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString('utf8').replaceAll('\r\n', '\n'),
          isSecure: session.secure,
          user: typeof session.user === 'string' ? session.user : null,
        });
        answer(null);
      });
    },
  });
  // Clients that break off are what some tests are about.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = server.server.address() as AddressInfo;
  return { port, messages, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
