/**
 * The real look at an address. Each stage is measured by itself and handed to the next: the addresses of the name, the
 * connection, TLS over it, and one request by undici over exactly that connection.
 */
import type { LookupAddress } from 'node:dns';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates, type TLSSocket } from 'node:tls';
import { Client } from 'undici';
import type { ProbeCode, ProbeStage, ProbeStageName } from '@stella/domain';
import type {
  ConnectOrder,
  NetworkAnswer,
  NetworkLook,
  NetworkLookOrder,
  NetworkProbe,
} from '../ports/network-probe.ts';
import { type AddressCheck, makeAddressCheck } from './address-check.ts';
import { endedBy } from './ended-by.ts';
import { lookUp, openSocket, StageFailure, type Way } from './open-socket.ts';

const HEADER_BYTES_MAX = 32_768;

/** Throws `config.invalid` for a range that is none; null: every address. */
export function makeNetworkProbe({
  allowedRanges,
}: {
  readonly allowedRanges: readonly string[] | null;
}): NetworkProbe {
  const isAllowed = makeAddressCheck(allowedRanges);
  return { look: (order) => look(order, isAllowed), connect: (order) => connect(order, isAllowed) };
}

interface Reached<Value> {
  readonly stage: ProbeStage;
  /** Null when it failed. */
  readonly value: Value | null;
}

async function look(order: NetworkLookOrder, isAllowed: AddressCheck): Promise<NetworkLook> {
  const url = new URL(order.url);
  const isTls = url.protocol === 'https:';
  const dns = await resolveName(order, hostOf(url), isAllowed);
  if (dns.value === null) return { stages: [dns.stage, skipped('tcp'), skipped('tls')], answer: null };
  const port = Number(url.port || (isTls ? 443 : 80));
  const tcp = await openConnection(order, { host: hostOf(url), port, addresses: dns.value });
  if (tcp.value === null) return { stages: [dns.stage, tcp.stage, skipped('tls')], answer: null };
  let socket: Socket = tcp.value;
  try {
    if (!isTls) {
      const stages = [dns.stage, tcp.stage, skipped('tls', 'plain HTTP')];
      return { stages, answer: await ask(order, url, socket) };
    }
    const tls = await secure(order, hostOf(url), tcp.value);
    const stages = [dns.stage, tcp.stage, tls.stage];
    if (tls.value === null) return { stages, answer: null };
    socket = tls.value;
    return { stages, answer: await ask(order, url, socket) };
  } finally {
    socket.destroy();
    tcp.value.destroy();
  }
}

async function connect(order: ConnectOrder, isAllowed: AddressCheck): Promise<readonly ProbeStage[]> {
  const { address, port } = order;
  const dns = await resolveName(order, address, isAllowed);
  if (dns.value === null) return [dns.stage, skipped('tcp')];
  const tcp = await openConnection(order, { host: address, port, addresses: dns.value });
  tcp.value?.destroy();
  return [dns.stage, tcp.stage];
}

/** What every stage goes by. */
type Timing = Pick<NetworkLookOrder, 'stageTimeoutMs' | 'signal'>;

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** Runs one stage within its time. What it throws, and a time-out, become its failure. */
async function stageOf<Value>(
  { stageTimeoutMs, signal }: Timing,
  { name, timeoutCode }: { readonly name: ProbeStageName; readonly timeoutCode: ProbeCode },
  work: (signal: AbortSignal) => Promise<{ value: Value; detail: string; expiresAtMs?: number }>,
): Promise<Reached<Value>> {
  const beganMs = performance.now();
  const sinceMs = (): number => Math.round(performance.now() - beganMs);
  const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(stageTimeoutMs)));
  const ending = AbortSignal.any([deadline, signal]);
  const fail = (code: ProbeCode, detail: string): Reached<Value> => ({
    stage: { stage: name, outcome: 'failed', durationMs: sinceMs(), code, detail },
    value: null,
  });
  try {
    const { value, detail, ...more } = await endedBy(ending, work(ending));
    return { stage: { stage: name, outcome: 'ok', durationMs: sinceMs(), code: null, detail, ...more }, value };
  } catch (error) {
    if (error instanceof StageFailure) return fail(error.code, error.message);
    if (signal.aborted) return fail('probe.timeout', 'the whole probe ran out of time');
    if (deadline.aborted) return fail(timeoutCode, `nothing within ${stageTimeoutMs} ms`);
    return fail('probe.error', error instanceof Error ? error.message : String(error));
  }
}

function skipped(stage: ProbeStageName, detail = 'not reached'): ProbeStage {
  return { stage, outcome: 'skipped', durationMs: 0, code: 'probe.skipped', detail };
}

async function resolveName(
  order: Timing,
  host: string,
  isAllowed: AddressCheck,
): Promise<Reached<readonly LookupAddress[]>> {
  const family = isIP(host);
  if (family !== 0) {
    const value = [{ address: host, family }].filter(({ address }) => isAllowed(address));
    if (value.length === 0) return forbidden([host]);
    return { stage: skipped('dns', 'an address, no name'), value };
  }
  const found = await stageOf(order, { name: 'dns', timeoutCode: 'dns.timeout' }, async () => {
    const addresses = await lookUp(host);
    const value = addresses.filter(({ address }) => isAllowed(address));
    return { value: { all: addresses, value }, detail: addresses.map(({ address }) => address).join(', ') };
  });
  if (found.value === null) return { stage: found.stage, value: null };
  const { all, value } = found.value;
  if (value.length === 0) return { ...forbidden(all.map(({ address }) => address)) };
  return { stage: found.stage, value };
}

/** Told as a failure of the name: no connection is even tried. */
function forbidden(addresses: readonly string[]): Reached<readonly LookupAddress[]> {
  const detail = `${addresses.join(', ')}: not in the allowed ranges (STELLA_OUTGOING_ALLOW)`;
  return { stage: { stage: 'dns', outcome: 'failed', durationMs: 0, code: 'tcp.forbidden', detail }, value: null };
}

function openConnection(order: Timing, way: Way): Promise<Reached<Socket>> {
  return stageOf(order, { name: 'tcp', timeoutCode: 'tcp.timeout' }, async (signal) => {
    const socket = await openSocket(way, signal);
    return { value: socket, detail: `${socket.remoteAddress ?? way.host}:${way.port}` };
  });
}

const TLS_UNTRUSTED = /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED|INVALID_CA|CERT_CHAIN/;

function secure(order: NetworkLookOrder, host: string, socket: Socket): Promise<Reached<TLSSocket>> {
  return stageOf(order, { name: 'tls', timeoutCode: 'tls.timeout' }, (signal) => {
    // Whether it is trusted is asked below, so that the date of an expired certificate can be told; nothing was sent by then.
    const secured = connectTls({
      socket,
      // Whom the certificate has to name, also where that is an address, which is not sent as a server's name (RFC 6066, 3).
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ['http/1.1'],
      ...(order.ca === undefined ? {} : { ca: [...rootCertificates, order.ca] }),
      rejectUnauthorized: false,
    });
    return new Promise((resolve, reject) => {
      const give = (): void => void secured.destroy();
      signal.addEventListener('abort', give, { once: true });
      secured.on('error', (error: NodeJS.ErrnoException) => {
        reject(new StageFailure('tls.failed', error.code ?? error.message));
      });
      secured.once('close', () => reject(new StageFailure('tls.failed', 'the connection was closed')));
      secured.once('secureConnect', () => {
        signal.removeEventListener('abort', give);
        const expiresAtMs = expiryOf(secured);
        const until = expiresAtMs === null ? 'unknown' : new Date(expiresAtMs).toISOString().slice(0, 10);
        if (secured.authorized) {
          const detail = `${secured.getProtocol() ?? 'TLS'}, certificate until ${until}`;
          resolve({ value: secured, detail, ...(expiresAtMs === null ? {} : { expiresAtMs }) });
          return;
        }
        const reason = reasonOf(secured);
        reject(new StageFailure(tlsCode(reason, expiresAtMs), `${reason}; certificate until ${until}`));
        secured.destroy();
      });
    });
  });
}

/** Node gives the code as a text, against its types. */
function reasonOf({ authorizationError }: TLSSocket): string {
  const reason: unknown = authorizationError;
  return reason instanceof Error ? ((reason as NodeJS.ErrnoException).code ?? reason.message) : String(reason);
}

/** An expired certificate is told as that, also where nobody would trust it either. */
function tlsCode(reason: string, expiresAtMs: number | null): ProbeCode {
  if (reason.includes('EXPIRED') || (expiresAtMs ?? Infinity) < Date.now()) return 'tls.expired';
  if (reason.includes('ALTNAME')) return 'tls.wrong_name';
  return TLS_UNTRUSTED.test(reason) ? 'tls.untrusted' : 'tls.failed';
}

function expiryOf(socket: TLSSocket): number | null {
  // Without a certificate the answer is an empty object, which its type does not say.
  const { valid_to: until } = socket.getPeerCertificate() as { readonly valid_to?: string };
  const instantMs = until === undefined ? Number.NaN : Date.parse(until);
  return Number.isNaN(instantMs) ? null : instantMs;
}

async function ask(order: NetworkLookOrder, url: URL, socket: Socket): Promise<NetworkAnswer> {
  let durationMs = 0;
  const reached = await stageOf(order, { name: 'answer', timeoutCode: 'answer.timeout' }, async (signal) => {
    const beganMs = performance.now();
    // Plain and secured sockets are both taken by undici as they are.
    const client = new Client(url.origin, {
      // A turn later: undici takes a connection only after it has asked for one.
      connect: (_options, callback) => void setImmediate(() => callback(null, socket)),
      maxHeaderSize: HEADER_BYTES_MAX,
    });
    try {
      const response = await client.request({
        method: order.method,
        path: `${url.pathname}${url.search}`,
        headers: order.headers ?? {},
        headersTimeout: 0,
        bodyTimeout: 0,
        signal,
      });
      durationMs = Math.round(performance.now() - beganMs);
      // Nobody reads it; that this ends it early is no error.
      response.body.on('error', () => undefined).destroy();
      return { value: response.statusCode, detail: '' };
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      const isReset = code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET';
      throw new StageFailure(isReset ? 'answer.reset' : 'answer.bad', message);
    } finally {
      client.destroy().catch(() => undefined);
    }
  });
  if (reached.value === null) return { kind: 'failure', stage: reached.stage };
  return { kind: 'status', status: reached.value, durationMs };
}
