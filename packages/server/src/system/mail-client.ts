/**
 * The real outgoing mail, by nodemailer, over a connection that is made here: its address is checked as it is connected to,
 * like that of every way out. Certificates are verified against the name of the host.
 */
import { lookup as dnsLookup } from 'node:dns';
import { connect, isIP, type Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import { type MailClient, MailFailure, type MailOrder } from '../ports/mail-client.ts';
import { type AddressCheck, makeAddressCheck } from './address-check.ts';
import { checkedLookup, forbidden } from './checked-lookup.ts';
import { nodeClock } from './node-clock.ts';

export interface MailClientOptions {
  /** Ranges that may be connected to, as `127.0.0.0/8`. Null: every address. */
  readonly allowedRanges: readonly string[] | null;
  /** Authorities beside those of the system, in PEM. */
  readonly authorities?: readonly string[];
}

/** Throws `config.invalid` for a range that is none. */
export function makeMailClient({ allowedRanges, authorities = [] }: MailClientOptions): MailClient {
  const isAllowed = makeAddressCheck(allowedRanges);
  return { send: (order) => send(order, isAllowed, authorities) };
}

async function send(order: MailOrder, isAllowed: AddressCheck, authorities: readonly string[]): Promise<string> {
  const deadline = nodeClock.timeoutSignal(Math.max(1, order.timeoutMs));
  const signal = AbortSignal.any([deadline, order.signal]);
  const why = (): string =>
    order.signal.aborted ? 'it was given up' : `the mail server did not take it within ${order.timeoutMs} ms`;
  let socket: Socket | null = null;
  const cut = (): void => void socket?.destroy(new MailFailure(why()));
  signal.addEventListener('abort', cut, { once: true });
  try {
    socket = await openConnection(order, isAllowed, signal);
    return await converse(order, socket, authorities);
  } catch (error) {
    throw signal.aborted ? new MailFailure(why(), error) : toFailure(error, order);
  } finally {
    signal.removeEventListener('abort', cut);
    socket?.destroy();
  }
}

function openConnection({ host, port }: MailOrder, isAllowed: AddressCheck, signal: AbortSignal): Promise<Socket> {
  if (isIP(host) !== 0 && !isAllowed(host)) throw forbidden(host);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, lookup: checkedLookup(isAllowed, dnsLookup), signal });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

async function converse(order: MailOrder, connection: Socket, authorities: readonly string[]): Promise<string> {
  const { host, port, tls, login, from, to, messageId, subject, text, timeoutMs } = order;
  // Until nodemailer listens itself; whatever breaks is told by what it was used for.
  connection.on('error', () => undefined);
  const transport = createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { rejectUnauthorized: true, ...(authorities.length === 0 ? {} : { ca: [...authorities] }) },
    ...(login === null ? {} : { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    // What others wrote names neither files nor addresses to read.
    disableFileAccess: true,
    disableUrlAccess: true,
    getSocket: (_options, give) => give(null, { connection }),
  });
  try {
    const sent = await transport.sendMail({ from, to: [...to], messageId, subject, text });
    if (sent.rejected.length > 0) throw new MailFailure(`refused for ${sent.rejected.map(String).join(', ')}`);
    return sent.response;
  } finally {
    transport.close();
  }
}

/** The words of the library, which hold answers of the server, without a password that such an answer may repeat. */
function toFailure(error: unknown, { login }: MailOrder): MailFailure {
  if (error instanceof MailFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  const clean = login === null ? message : message.replaceAll(login.password, '…');
  return new MailFailure(clean.replace(/\s+/g, ' ').trim(), error);
}
