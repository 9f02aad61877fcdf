/** The first steps of a way out, whatever is spoken over it: a name, then TCP to one of the addresses that may be reached. */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { connect as connectTcp, type Socket } from 'node:net';
import type { ProbeCode } from '@stella/domain';

/** A stage that did not work out. */
export class StageFailure extends Error {
  readonly code: ProbeCode;
  constructor(code: ProbeCode, message: string) {
    super(message);
    this.name = 'StageFailure';
    this.code = code;
  }
}

const DNS_CODES: Readonly<Record<string, ProbeCode>> = {
  ENOTFOUND: 'dns.not_found',
  ENODATA: 'dns.not_found',
  EAI_AGAIN: 'dns.failed',
};

export function lookUp(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    dnsLookup(host, { all: true }, (error, addresses) => {
      if (error) reject(new StageFailure(DNS_CODES[error.code ?? ''] ?? 'dns.failed', `${host}: ${error.code ?? ''}`));
      else resolve(addresses);
    });
  });
}

const TCP_CODES: Readonly<Record<string, ProbeCode>> = {
  ECONNREFUSED: 'tcp.refused',
  ETIMEDOUT: 'tcp.timeout',
  EHOSTUNREACH: 'tcp.unreachable',
  ENETUNREACH: 'tcp.unreachable',
  EADDRNOTAVAIL: 'tcp.unreachable',
};

export interface Way {
  readonly host: string;
  readonly port: number;
  /** Those of the host that may be connected to. */
  readonly addresses: readonly LookupAddress[];
}

/** Rejects with `StageFailure`, also when the signal aborts before it is open; from then on it is its owner's to end. */
export function openSocket({ host, port, addresses }: Way, signal: AbortSignal): Promise<Socket> {
  const socket = connectTcp({
    host,
    port,
    autoSelectFamily: true,
    // Those that were found and may be used, in the form that was asked for.
    lookup: (_host, { all }, callback) => {
      const [first] = addresses;
      if (all || !first) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    },
  });
  return new Promise((resolve, reject) => {
    const give = (): void => void socket.destroy(new Error('given up'));
    signal.addEventListener('abort', give, { once: true });
    if (signal.aborted) give();
    // It stays for as long as the socket lives: a late error belongs to whatever is spoken, which sees it by itself.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', give);
      const code = codeOf(error);
      reject(new StageFailure(TCP_CODES[code] ?? 'tcp.failed', `${host}:${port}: ${code || error.message}`));
    });
    socket.once('connect', () => {
      signal.removeEventListener('abort', give);
      resolve(socket);
    });
  });
}

/** Of several addresses that were tried, the code of the first. */
function codeOf(error: NodeJS.ErrnoException): string {
  const { code = '' } = error;
  if (!(error instanceof AggregateError)) return code;
  // Those of sockets.
  const [first] = error.errors as readonly NodeJS.ErrnoException[];
  return first?.code ?? code;
}
