/** The time of a request that is challenged, and how many grants are kept; what goes over the wire is in the contract suite. */
import { describe, expect, it } from 'vitest';
import type { HttpRequest, HttpResponse } from '../ports/http-client.ts';
import { openRegistrySession } from './registry-session.ts';

const ISSUER = 'https://auth.example/token';

function answerTo({ url, headers = {} }: HttpRequest): HttpResponse {
  if (url.startsWith(ISSUER)) return response(200, '{"token":"granted","expires_in":3600}');
  return headers['authorization'] === 'Bearer granted' ? response(200, '') : response(401, '');
}

function response(status: number, text: string): HttpResponse {
  const body = {
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve(Buffer.from(text));
    },
  };
  return { status, headers: { 'www-authenticate': `Bearer realm="${ISSUER}"` }, body };
}

function openWorld(answerMs: number) {
  const asked: HttpRequest[] = [];
  let nowMs = 0;
  const http = {
    request: (request: HttpRequest): Promise<HttpResponse> => {
      asked.push(request);
      nowMs += answerMs;
      return Promise.resolve(answerTo(request));
    },
  };
  const access = { origin: 'https://registry.example', ca: null, login: null };
  const accesses = { accessTo: () => Promise.resolve(access) };
  const session = openRegistrySession({ http, accesses, clock: { monotonicMs: () => nowMs } });
  /** How many questions it took. */
  const read = async (repository: string): Promise<number> => {
    const before = asked.length;
    const { status } = await session.request({
      registry: 'registry.example',
      repository,
      method: 'GET',
      path: `/v2/${repository}/manifests/1`,
      headers: {},
      timeoutMs: 15_000,
      responseBytesMax: 1_000,
    });
    expect(status).toBe(200);
    return asked.length - before;
  };
  return { asked, read };
}

describe('a request to a registry', () => {
  it('has one deadline for all that it asks, also at the token server', async () => {
    const { asked, read } = openWorld(4_000);
    expect(await read('shop/web')).toBe(3);
    expect(asked.map((one) => one.timeoutMs)).toEqual([15_000, 11_000, 7_000]);
  });

  it('is granted anew when 500 other repositories were granted something since', async () => {
    const { read } = openWorld(0);
    for (let n = 0; n < 500; n += 1) await read(`shop/${n}`);
    expect(await read('shop/0')).toBe(1);
    await read('shop/500');
    expect([await read('shop/0'), await read('shop/500')]).toEqual([3, 1]);
  });
});
