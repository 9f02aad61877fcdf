/** What the servers work on, and what writes down what they really did: a gate's journal, and a watch over every target. */
import { type FSWatcher, readlinkSync, watch } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { compareFences, type Fence, parseFence } from '@stella/domain';

export interface GateJournal {
  readonly port: number;
  /** Questions by idempotency key: how often it came, and the body of the first. */
  readonly questions: ReadonlyMap<string, { readonly count: number; readonly body: string }>;
  /** Keys that came with two different questions. */
  readonly mixed: readonly string[];
  close(): void;
}

/** Answers after a moment, which `thinkMs` draws. Listens on loopback, and at `address` where there is one. */
export async function startGateJournal(address: string | null, thinkMs: () => number): Promise<GateJournal> {
  const questions = new Map<string, { count: number; body: string }>();
  const mixed: string[] = [];
  const [first, second] = [makeGate(), makeGate()];
  function makeGate(): Server {
    return createServer((request, response) => {
      const key = String(request.headers['idempotency-key']);
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        const known = questions.get(key);
        questions.set(key, { count: (known?.count ?? 0) + 1, body: known?.body ?? body });
        if (known && known.body !== body) mixed.push(key);
        response.setHeader('content-type', 'application/json');
        setTimeout(() => response.end('{"verdict":"passed","message":"journalled"}'), thinkMs());
      });
    });
  }
  await listen(first, '127.0.0.1', 0);
  // It listens on a port.
  const { port } = first.address() as AddressInfo;
  if (address !== null) await listen(second, address, port);
  return {
    port,
    questions,
    mixed,
    close: () => {
      for (const server of [first, second]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

export interface Switch {
  readonly target: string;
  readonly fence: Fence;
}

export interface TargetWatch {
  readonly switches: readonly Switch[];
  /** Switches to a fence that is lower than one that the same target had switched to before (safety S4). */
  readonly stale: readonly string[];
  close(): void;
}

/** The name of the tree that `current` leads to holds the fence of the operation that switched. */
export function watchTargets(directories: readonly string[]): TargetWatch {
  const switches: Switch[] = [];
  const stale: string[] = [];
  const highest = new Map<string, Fence>();
  const look = (directory: string): void => {
    const fence = fenceIn(directory);
    const before = highest.get(directory);
    if (fence === null || (before && compareFences(fence, before) === 0)) return;
    switches.push({ target: basename(directory), fence });
    if (before && compareFences(fence, before) < 0) {
      stale.push(`${directory}: ${before.epoch}.${before.n} → ${fence.epoch}.${fence.n}`);
      return;
    }
    highest.set(directory, fence);
  };
  const watchers = directories.map(
    (directory): FSWatcher =>
      watch(directory, (_, name) => {
        if (name === 'current') look(directory);
      }),
  );
  return {
    switches,
    stale,
    close: () => {
      for (const watcher of watchers) watcher.close();
      // What a watcher did not tell any more.
      for (const directory of directories) look(directory);
    },
  };
}

function fenceIn(directory: string): Fence | null {
  try {
    const [, text = ''] = /-(\d+\.\d+)-[0-9a-f]{8}$/.exec(readlinkSync(`${directory}/current`)) ?? [];
    return parseFence(text) ?? null;
  } catch {
    // Nothing was deployed yet.
    return null;
  }
}
