import type { LookupAddress } from 'node:dns';
import { type HostileServer, startFullBacklog, startHostileServer } from '@stella/testkit/hostile';
import { answer, raw } from '@stella/testkit/hostile/behaviours';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBody } from '../ports/http-client.ts';
import { makeHttpClient } from './http-client.ts';

const TIMEOUT_MS = 500;
/** Of a busy machine, and far less than the time to a connection that the library waits by itself. */
const GRACE_MS = 5_000;

let peer: HostileServer;
const closings: (() => Promise<void>)[] = [];
beforeEach(async () => {
  peer = await startHostileServer();
  peer.answerAt('/', answer('{}'));
  closings.push(() => peer.close());
});
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

type Found = readonly LookupAddress[];

/** A client in whose world names lead to what `find` says, anew each time. */
function clientWhere(find: (count: number) => Found): {
  get: (url: string, signal?: AbortSignal) => Promise<string>;
  readonly lookUps: () => number;
} {
  let count = 0;
  // Only the form with `all` is asked for.
  const lookUp = ((_name: string, _options: object, done: (error: null, found: Found) => void) => {
    count += 1;
    done(null, find(count));
  }) as never;
  const client = makeHttpClient({ allowedRanges: ['127.0.0.1/32'], lookUp });
  closings.push(() => client.close());
  return {
    lookUps: () => count,
    get: async (url, signal) => {
      const wanted = { method: 'POST', url, timeoutMs: TIMEOUT_MS, responseBytesMax: 100 } as const;
      const response = await client.request(signal ? { ...wanted, signal } : wanted);
      return Buffer.from(await readBody(response)).toString();
    },
  };
}

const OURS: LookupAddress = { address: '127.0.0.1', family: 4 };
const METADATA: LookupAddress = { address: '169.254.169.254', family: 4 };
const MAPPED: LookupAddress = { address: '::ffff:169.254.169.254', family: 6 };

describe('a name', () => {
  const urlOf = (name: string): string => `http://${name}:${new URL(peer.origin).port}/`;

  it('that leads to forbidden addresses only is not asked, and one of them is named', async () => {
    const { get } = clientWhere(() => [METADATA, MAPPED]);
    await expect(get(urlOf('gate.example'))).rejects.toMatchObject({
      failure: 'address_forbidden',
      message: 'the address 169.254.169.254 is not in the allowed ranges',
    });
    expect(peer.connectionCount()).toBe(0);
  });

  it('that leads to both is asked where it may be', async () => {
    const { get } = clientWhere(() => [METADATA, MAPPED, OURS]);
    expect(await get(urlOf('gate.example'))).toBe('{}');
  });

  it('that leads elsewhere the second time is looked at the second time too (rebinding)', async () => {
    const { get, lookUps } = clientWhere((count) => (count === 1 ? [OURS] : [METADATA]));
    expect(await get(urlOf('gate.example'))).toBe('{}');
    await expect(get(urlOf('gate.example'))).rejects.toMatchObject({ failure: 'address_forbidden' });
    expect([lookUps(), peer.connectionCount()]).toEqual([2, 1]);
  });

  it('that leads nowhere is not asked', async () => {
    const { get } = clientWhere(() => []);
    await expect(get(urlOf('gate.example'))).rejects.toMatchObject({ failure: 'address_forbidden' });
  });
});

describe('a connection that is neither taken nor refused', () => {
  it('bug: ends at the deadline of the request, not ten seconds later', async () => {
    const backlog = await startFullBacklog();
    closings.push(() => backlog.close());
    const beganAtMs = performance.now();
    await expect(clientWhere(() => []).get(backlog.origin)).rejects.toMatchObject({ failure: 'timeout' });
    expect(performance.now() - beganAtMs).toBeLessThan(TIMEOUT_MS + GRACE_MS);
  });

  it('bug: ends at once when the call is given up', async () => {
    const backlog = await startFullBacklog();
    closings.push(() => backlog.close());
    const controller = new AbortController();
    const answering = clientWhere(() => []).get(backlog.origin, controller.signal);
    controller.abort();
    await expect(answering).rejects.toMatchObject({ failure: 'aborted' });
  });
});

describe('a connection of a question', () => {
  it('bug: is not used for the next, which an answer too many would answer', async () => {
    const said = (text: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
    const url = peer.answerAt('/twice', raw(said('mine') + said('stray')));
    const { get } = clientWhere(() => []);
    expect([await get(url), await get(url)]).toEqual(['mine', 'mine']);
    expect(peer.connectionCount()).toBe(2);
  });
});
