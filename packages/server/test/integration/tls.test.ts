/** A server that speaks TLS itself, with certificates made here. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClientRequest, get as httpGet, type IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { connect } from 'node:tls';
import { makeServerPlace, type ServerPlace, type ServerProcess, startServerProcess, waitFor } from '@stella/testkit';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TlsFiles } from '../../src/config/server-config.ts';
import { readTlsFiles, watchTlsFiles } from '../../src/main/tls-files.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { makeMemoryLogger } from './postgres-fixture.ts';

let place: ServerPlace;
let files: TlsFiles;
let cert: string;

async function writeCertificate(): Promise<string> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  await writeFile(files.certFile, made.cert);
  await writeFile(files.keyFile, made.private, { mode: 0o600 });
  return made.cert;
}

beforeAll(async () => {
  place = await makeServerPlace();
  const folder = join(place.directory, 'tls');
  await mkdir(folder);
  files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  cert = await writeCertificate();
});
afterAll(() => place.remove());

describe('a server with a certificate', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    const env = { STELLA_TLS_CERT: files.certFile, STELLA_TLS_KEY: files.keyFile };
    server = await startServerProcess(place, { env });
  });
  afterAll(() => server.stop());

  it('answers who trusts it, and nobody in clear text', async () => {
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await outcomeOf((done) => get(`${server.url}/livez`, { ca: cert }, done))).toBe(200);
    expect(await outcomeOf((done) => get(`${server.url}/livez`, done))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    const clear = server.url.replace('https:', 'http:');
    expect(await outcomeOf((done) => httpGet(`${clear}/livez`, done))).toBe('ECONNRESET');
  });

  it('speaks nothing older than TLS 1.2', async () => {
    const port = Number(new URL(server.url).port);
    const code = await new Promise((resolve) => {
      const socket = connect({
        port,
        ca: cert,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.once('secureConnect', () => resolve('connected'));
    });
    expect(code).toMatch(/^ERR_SSL_/);
  });
});

/** Status of the answer, or the code of the error. */
function outcomeOf(
  ask: (done: (answer: IncomingMessage) => void) => ClientRequest,
): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const sent = ask((answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

describe('files of TLS', () => {
  it('are refused when one is missing, or they do not belong together: config.invalid', async () => {
    const missing = { ...files, keyFile: `${files.keyFile}.none` };
    await expect(readTlsFiles(nodeFileSystem, missing)).rejects.toMatchObject({
      code: 'config.invalid',
      details: { name: 'STELLA_TLS_KEY', message: `${missing.keyFile} cannot be read (ENOENT)` },
    });
    const swapped = { certFile: files.keyFile, keyFile: files.certFile };
    await expect(readTlsFiles(nodeFileSystem, swapped)).rejects.toMatchObject({ code: 'config.invalid' });
  });

  it('are read again when they were renewed; damaged ones are told, and change nothing', async () => {
    const first = await readTlsFiles(nodeFileSystem, files);
    const logger = makeMemoryLogger();
    const renewed: Buffer[] = [];
    // The watch looks each time when its timer ends: here whenever the test says so.
    let look = (): void => undefined;
    const schedule = (_delayMs: number, run: () => void) => {
      look = run;
      return () => undefined;
    };
    const clock = { nowMs: () => 0, monotonicMs: () => 0, timeoutSignal: () => AbortSignal.abort(), schedule };
    const turn = async (): Promise<void> => {
      const before = look;
      before();
      await waitFor(() => look !== before, { timeoutMs: 5_000, why: 'the watch has looked' });
    };
    const watch = { fileSystem: nodeFileSystem, clock, logger, files, first };
    const unwatch = watchTlsFiles({ ...watch, renew: (material) => renewed.push(material.cert) });
    await turn();
    expect(renewed).toEqual([]);
    await writeFile(files.certFile, 'damaged');
    await turn();
    expect(renewed).toEqual([]);
    const next = await writeCertificate();
    await turn();
    await turn();
    expect(renewed.map(String)).toEqual([next]);
    unwatch();
  });
});
