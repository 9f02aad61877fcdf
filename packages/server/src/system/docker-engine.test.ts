import { createServer, type RequestListener } from 'node:http';
import { type Duplex, duplexPair, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openDockerEngine } from './docker-engine.ts';

const VERSION = { Version: '20.10.24', ApiVersion: '1.41', Os: 'linux', Arch: 'amd64' };

/** An engine at the other end of a stream. */
function serve(listener: RequestListener): { readonly near: Duplex; readonly far: Duplex } {
  const [near, far] = duplexPair();
  createServer(listener).emit('connection', far);
  return { near, far };
}

describe('openDockerEngine', () => {
  it('asks nothing more of a stream whose other end has closed, instead of waiting for an answer', async () => {
    const { near, far } = serve((_request, response) => void response.end(JSON.stringify(VERSION)));
    const engine = openDockerEngine(near, new AbortController().signal);
    expect(await engine.facts()).toMatchObject({ version: '20.10.24', architecture: 'amd64' });
    const ended = new Promise((resolve) => near.once('end', resolve));
    far.end();
    await ended;
    await expect(engine.facts()).rejects.toMatchObject({ name: 'EngineFailure', status: null });
  });

  it('gives the login of a registry to its pull and to nothing else, in the head alone', async () => {
    const seen: { readonly url: string; readonly auth: string | undefined }[] = [];
    const { near } = serve((request, response) => {
      const auth = request.headers['x-registry-auth'];
      seen.push({ url: request.url ?? '', auth: Array.isArray(auth) ? auth.join() : auth });
      response.end(request.url?.endsWith('/version') ? JSON.stringify(VERSION) : '{"status":"done"}\n');
    });
    const engine = openDockerEngine(near, new AbortController().signal);
    await engine.pull('127.0.0.1:5000/shop/web', 'sha256:11', { username: 'ana', password: 'correct horses' });
    await engine.pull('127.0.0.1:5000/shop/web', 'sha256:22', null);
    await engine.facts();
    const [, first, second, last] = seen;
    // An engine ignores one without its padding (RFC 4648, section 5), and asks the registry as anybody.
    expect(first?.auth).toMatch(/^[A-Za-z0-9_-]+={1,2}$/);
    const told: unknown = JSON.parse(Buffer.from(first?.auth ?? '', 'base64url').toString());
    expect(told).toEqual({ username: 'ana', password: 'correct horses', serveraddress: '127.0.0.1:5000' });
    expect([second?.auth, last?.auth]).toEqual([undefined, undefined]);
    expect(seen.map(({ url }) => url).join()).not.toContain('horse');
    engine.close();
  });

  it('fails a pull by what stands in its progress, though it began well', async () => {
    const { near } = serve((request, response) => {
      response.end(
        request.url?.endsWith('/version')
          ? JSON.stringify(VERSION)
          : '{"status":"Pulling"}\n{"error":"no space left on device"}\n',
      );
    });
    const engine = openDockerEngine(near, new AbortController().signal);
    await expect(engine.pull('127.0.0.1:5000/shop/web', 'sha256:11', null)).rejects.toMatchObject({
      message: 'no space left on device',
    });
    engine.close();
  });

  it.each([
    { how: 'ends', cut: ({ far }: Streams) => void far.end() },
    { how: 'is given up', cut: ({ controller }: Streams) => controller.abort() },
  ])('fails what is under way and what waits when its stream $how, also within an answer', async ({ cut }) => {
    for (const hasBegun of [false, true]) {
      const controller = new AbortController();
      const { near, far } = serve((request, response) => {
        if (request.url?.endsWith('/version')) return void response.end(JSON.stringify(VERSION));
        if (hasBegun) response.writeHead(200, { 'content-length': '1000' }).write('{"Id":');
        setImmediate(() => cut({ far, controller }));
      });
      const engine = openDockerEngine(near, controller.signal);
      await engine.facts();
      const asked = [engine.inspect('api'), engine.inspect('web'), engine.list({})];
      for (const one of await Promise.allSettled(asked)) {
        expect(one).toMatchObject({ status: 'rejected', reason: { name: 'EngineFailure', status: null } });
      }
    }
  });

  it('reads no more of an answer than an answer has', async () => {
    const endless = (function* () {
      // The stream ends it.
      for (;;) yield Buffer.alloc(1_048_576, 'x');
    })();
    const { near } = serve((request, response) => {
      if (request.url?.endsWith('/version')) return void response.end(JSON.stringify(VERSION));
      Readable.from(endless)
        .on('error', () => undefined)
        .pipe(response);
    });
    const engine = openDockerEngine(near, new AbortController().signal);
    await expect(engine.inspect('api')).rejects.toThrow('the engine answered more than 8388608 characters');
  });

  it('tells what the engine says, however it says it', async () => {
    const answers = ['{"message":"no such container: api"}', 'Bad Gateway', ''];
    const { near } = serve((request, response) => {
      if (request.url?.endsWith('/version')) return void response.end(JSON.stringify(VERSION));
      response.statusCode = 502;
      response.end(answers.shift());
    });
    const engine = openDockerEngine(near, new AbortController().signal);
    await expect(engine.start('api')).rejects.toMatchObject({ status: 502, message: 'no such container: api' });
    await expect(engine.pull('registry.example/shop/api', 'sha256:11', null)).rejects.toMatchObject({
      status: 502,
      message: 'Bad Gateway',
    });
    await expect(engine.inspect('api')).rejects.toMatchObject({ status: 502, message: 'status 502' });
    engine.close();
  });
});

interface Streams {
  readonly far: Duplex;
  readonly controller: AbortController;
}
