/**
 * One connection to a host over SSH, step by step: its name, TCP, the host's own key, then ours. Nothing is sent before the
 * host has proved that it is the one that was named (RFC 4253, section 8): by a pinned fingerprint or by known_hosts.
 */
import { createHash } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { readFile, stat } from 'node:fs/promises';
import { isIP, type Socket } from 'node:net';
import type { ProbeCode, ProbeStageName, SshHostDefinition } from '@stella/domain';
import ssh2, { type Client, type ServerHostKeyAlgorithm } from 'ssh2';
import type { Secrets } from '../ports/secrets.ts';
import type { AddressCheck } from './address-check.ts';
import { findKnownKeys, type KnownKey } from './known-hosts.ts';
import { lookUp, openSocket, StageFailure } from './open-socket.ts';

/** From a connection to a session; a host that is loaded takes a while for its part of the keys. */
const HANDSHAKE_MS = 15_000;
const DNS_MS = 5_000;
const TCP_MS = 10_000;
/** Three without an answer end the connection: a cut network shows after so long. */
const KEEP_ALIVE_MS = 5_000;
const KEEP_ALIVE_COUNT_MAX = 3;
const KNOWN_HOSTS_BYTES_MAX = 4_194_304;
/** A disk that needs longer hangs. */
const KNOWN_HOSTS_MS = 5_000;

export interface SshDeps {
  readonly secrets: Pick<Secrets, 'readPrivateKey'>;
  readonly isAllowed: AddressCheck;
}

/** Where a connection failed, in the words of probes; `code` is that of the target's error. */
export class SshFailure extends Error {
  readonly code: 'target.unreachable' | 'target.credentials' | 'target.host_key';
  readonly probeCode: ProbeCode;
  constructor(code: SshFailure['code'], probeCode: ProbeCode, message: string) {
    super(message);
    this.name = 'SshFailure';
    this.code = code;
    this.probeCode = probeCode;
  }
}

/** Runs one step; a probe times it, and gives it a deadline of its own. `work` answers a detail for people. */
export type RunStep = (stage: ProbeStageName, work: () => Promise<string>) => Promise<void>;

/** Resolves with a client that is logged in. Rejects with `SshFailure`. */
export async function connectSsh(
  ssh: SshHostDefinition,
  deps: SshDeps,
  { signal, step }: { readonly signal: AbortSignal; readonly step: RunStep },
): Promise<Client> {
  const reached: { addresses: readonly LookupAddress[]; socket: Socket | null } = { addresses: [], socket: null };
  const client = new ssh2.Client();
  // After it is over, whoever holds it is told by its end.
  client.on('error', () => undefined);
  const end = (): void => {
    reached.socket?.destroy();
    client.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    await step('dns', async () => {
      reached.addresses = await inTime(DNS_MS, 'dns.timeout', resolveAllowed(ssh.address, deps.isAllowed));
      return reached.addresses.map(({ address }) => address).join(', ');
    });
    await step('tcp', async () => {
      reached.socket = await inTime(
        TCP_MS,
        'tcp.timeout',
        openSocket({ host: ssh.address, port: ssh.port, addresses: reached.addresses }, signal),
      );
      reached.socket.setNoDelay(true);
      return `${reached.socket.remoteAddress ?? ssh.address}:${ssh.port}`;
    });
    await greet(client, ssh, deps, { socket: reached.socket, step });
    if (signal.aborted) throw unreachable('probe.timeout', 'given up');
    return client;
  } catch (error) {
    end();
    throw error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

interface Greeting {
  readonly socket: Socket | null;
  readonly step: RunStep;
}

async function greet(
  client: Client,
  ssh: SshHostDefinition,
  { secrets }: SshDeps,
  { socket, step }: Greeting,
): Promise<void> {
  if (socket === null) throw unreachable('tcp.failed', 'no connection');
  const known = await readKnown(ssh);
  const key = await secrets.readPrivateKey(ssh.key);
  let shown: (detail: string) => void = () => undefined;
  let refuse: (failure: SshFailure) => void = () => undefined;
  let isProven = false;
  const proof = new Promise<string>((resolve, reject) => {
    shown = resolve;
    refuse = reject;
  });
  const ready = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    client.once('error', (error: Error & { level?: string }) => {
      const failure = toFailure(error, ssh, isProven);
      refuse(failure);
      reject(failure);
    });
    client.once('close', () => {
      const failure = unreachable('answer.reset', 'the connection was closed while greeting');
      refuse(failure);
      reject(failure);
    });
  });
  for (const one of [proof, ready]) one.catch(() => undefined);
  const algorithms = algorithmsOf(known);
  // A key that cannot be read is told at its own step, once the host has proved itself.
  const privateKey = key.isThere && isPrivateKey(key.text) ? key.text : null;
  client.connect({
    sock: socket,
    username: ssh.user,
    ...(privateKey === null ? {} : { privateKey }),
    authHandler: privateKey === null ? [] : ['publickey'],
    hostVerifier: (offered: Buffer) => {
      const problem = judgeKey(ssh, known, offered);
      isProven = problem === null;
      if (problem === null) shown(`${typeOf(offered)} ${fingerprintOf(offered)}`);
      else refuse(problem);
      return isProven;
    },
    // As OpenSSH: the kinds of keys that are known of it come into question.
    ...(ssh.hostKey === undefined && algorithms.length > 0 ? { algorithms: { serverHostKey: algorithms } } : {}),
    readyTimeout: HANDSHAKE_MS,
    keepaliveInterval: KEEP_ALIVE_MS,
    keepaliveCountMax: KEEP_ALIVE_COUNT_MAX,
  });
  await step('host_key', () => proof);
  await step('auth', async () => {
    if (!key.isThere) throw new SshFailure('target.credentials', 'auth.secret_missing', `${ssh.key}: ${key.message}`);
    if (privateKey === null) {
      throw new SshFailure(
        'target.credentials',
        'auth.secret_missing',
        `${ssh.key} holds no private key without passphrase`,
      );
    }
    await ready;
    return `${ssh.user} with ${ssh.key}`;
  });
}

/** By the kind of a key. RSA keys sign in newer ways that have names of their own (RFC 8332). */
const ALGORITHMS: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** A kind that the library does not speak, such as one of a hardware key, says nothing about the others. */
function algorithmsOf(known: readonly KnownKey[]): ServerHostKeyAlgorithm[] {
  const types = new Set(known.filter(({ isRevoked }) => !isRevoked).map(({ type }) => type));
  return [...types].flatMap((type) => ALGORITHMS[type] ?? []);
}

/** Without passphrase. Its public half is a key, too, but proves nothing. */
function isPrivateKey(text: string): boolean {
  const key = ssh2.utils.parseKey(text);
  return !(key instanceof Error) && key.isPrivateKey();
}

function toFailure(error: Error & { level?: string }, ssh: SshHostDefinition, isProven: boolean): SshFailure {
  if (error.level === 'client-authentication') {
    return new SshFailure('target.credentials', 'auth.refused', `${ssh.user} was refused with the key ${ssh.key}`);
  }
  if (!isProven && /host key format|Host denied/.test(error.message)) {
    return new SshFailure('target.host_key', 'host_key.unknown', 'it has no key of a kind that is known of it');
  }
  if (error.level === 'client-timeout') return unreachable('answer.timeout', 'it did not greet in time');
  return unreachable('answer.reset', error.message);
}

/** Null: it is the host that was named. */
function judgeKey(ssh: SshHostDefinition, known: readonly KnownKey[], offered: Buffer): SshFailure | null {
  const what = `it shows ${typeOf(offered)} ${fingerprintOf(offered)}`;
  const fail = (code: ProbeCode, message: string): SshFailure =>
    new SshFailure('target.host_key', code, `${what}; ${message}`);
  const same = known.filter(({ key }) => key.equals(offered));
  if (same.some(({ isRevoked }) => isRevoked)) return fail('host_key.revoked', `${ssh.knownHosts ?? ''} revokes that`);
  if (ssh.hostKey !== undefined) {
    return ssh.hostKey === fingerprintOf(offered) ? null : fail('host_key.changed', `expected ${ssh.hostKey}`);
  }
  if (same.length > 0) return null;
  const others = known.filter(({ isRevoked }) => !isRevoked);
  const where = ssh.knownHosts ?? '';
  if (others.length === 0) return fail('host_key.unknown', `${where} knows no key of it`);
  return fail('host_key.changed', `${where} knows ${others.map(({ key }) => fingerprintOf(key)).join(', ')}`);
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A key on the wire begins with the length of its type, then the type (RFC 4253, section 6.6). */
function typeOf(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  return length <= 100 ? key.toString('latin1', 4, 4 + length) : 'unknown';
}

async function readKnown(ssh: SshHostDefinition): Promise<readonly KnownKey[]> {
  if (ssh.knownHosts === undefined) return [];
  try {
    const file = await inTime(KNOWN_HOSTS_MS, 'host_key.unreadable', readSmallFile(ssh.knownHosts));
    return findKnownKeys(file, ssh);
  } catch (error) {
    // No more is said: a definition is written by people who may not know which files are there.
    throw Object.assign(new SshFailure('target.host_key', 'host_key.unreadable', `${ssh.knownHosts} cannot be read`), {
      cause: error,
    });
  }
}

/** A device or a pipe has no end, or waits for somebody. */
async function readSmallFile(path: string): Promise<string> {
  const found = await stat(path);
  if (!found.isFile() || found.size > KNOWN_HOSTS_BYTES_MAX)
    throw new Error(`not a file of ${KNOWN_HOSTS_BYTES_MAX} bytes`);
  return readFile(path, 'latin1');
}

function unreachable(probeCode: ProbeCode, message: string): SshFailure {
  return new SshFailure('target.unreachable', probeCode, message);
}

async function inTime<Value>(timeoutMs: number, code: ProbeCode, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unreachable(code, `nothing within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, overdue]);
  } catch (error) {
    throw error instanceof StageFailure ? unreachable(error.code, error.message) : error;
  } finally {
    clearTimeout(timer);
  }
}

async function resolveAllowed(host: string, isAllowed: AddressCheck): Promise<readonly LookupAddress[]> {
  const family = isIP(host);
  const found = family === 0 ? await lookUp(host) : [{ address: host, family }];
  const allowed = found.filter(({ address }) => isAllowed(address));
  if (allowed.length > 0) return allowed;
  const addresses = found.map(({ address }) => address).join(', ');
  throw unreachable('tcp.forbidden', `${addresses}: not in the allowed ranges (STELLA_OUTGOING_ALLOW)`);
}
