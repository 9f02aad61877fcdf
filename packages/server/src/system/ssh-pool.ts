/** Connections over SSH, kept for a while after their last use: one host often gets several calls in a row. */
import { canonicalJson, type Json, type SshHostDefinition } from '@stella/domain';
import type { Client } from 'ssh2';
import { endedBy } from './ended-by.ts';
import { connectSsh, type SshDeps } from './ssh-connection.ts';

/** MaxSessions of sshd_config(5) is 10 unless it is set. */
const SESSIONS_PER_CONNECTION_MAX = 8;
/** Without a session; hosts are asked again within a few seconds while something is deployed, or only much later. */
const IDLE_MS = 10_000;

export interface SshSession {
  readonly client: Client;
  /** Gives the place back. */
  readonly release: () => void;
}

export interface SshPool {
  /** Rejects with `SshFailure`, or when the signal aborts first. */
  acquire(ssh: SshHostDefinition, signal: AbortSignal): Promise<SshSession>;
  /** Ends all connections, and those that are just begun; there are none afterwards. */
  close(): void;
}

interface Connection {
  readonly client: Client;
  sessionCount: number;
  isAlive: boolean;
  idle: NodeJS.Timeout | undefined;
}

interface Host {
  readonly connections: Set<Connection>;
  /** One at a time: sshd drops connections when many begin at once (MaxStartups). */
  connecting: Promise<void> | null;
}

export function makeSshPool(deps: SshDeps): SshPool {
  const hosts = new Map<string, Host>();
  const closing = new AbortController();
  return {
    async acquire(ssh, signal) {
      // A definition is a plain JSON value.
      const key = canonicalJson(ssh as unknown as Json);
      const host = hosts.get(key) ?? { connections: new Set<Connection>(), connecting: null };
      hosts.set(key, host);
      // Until there is one with room; each turn waits for a connection, which has a deadline.
      for (;;) {
        signal.throwIfAborted();
        closing.signal.throwIfAborted();
        const free = [...host.connections].find((one) => one.isAlive && one.sessionCount < SESSIONS_PER_CONNECTION_MAX);
        if (free) return take(free);
        host.connecting ??= connect(deps, ssh, { host, signal: closing.signal }).finally(() => {
          host.connecting = null;
        });
        await endedBy(signal, host.connecting);
      }
    },
    close() {
      closing.abort(new Error('the server ends its connections'));
      for (const { connections } of hosts.values()) for (const one of connections) drop(one);
    },
  };
}

async function connect(
  deps: SshDeps,
  ssh: SshHostDefinition,
  { host, signal }: { readonly host: Host; readonly signal: AbortSignal },
): Promise<void> {
  const client = await connectSsh(ssh, deps, { signal, step: async (_stage, work) => void (await work()) });
  const connection: Connection = { client, sessionCount: 0, isAlive: true, idle: undefined };
  host.connections.add(connection);
  client.once('close', () => {
    connection.isAlive = false;
    clearTimeout(connection.idle);
    host.connections.delete(connection);
  });
  rest(connection);
}

function take(connection: Connection): SshSession {
  clearTimeout(connection.idle);
  connection.sessionCount += 1;
  let isReleased = false;
  return {
    client: connection.client,
    release: () => {
      if (isReleased) return;
      isReleased = true;
      connection.sessionCount -= 1;
      if (connection.sessionCount === 0) rest(connection);
    },
  };
}

function rest(connection: Connection): void {
  connection.idle = setTimeout(() => drop(connection), IDLE_MS);
  // It keeps no process from its end.
  connection.idle.unref();
}

function drop(connection: Connection): void {
  connection.isAlive = false;
  connection.client.end();
  connection.client.destroy();
}
