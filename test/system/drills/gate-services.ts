/** The services that gates of healthy promotions ask, on one port. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { Webhook } from 'standardwebhooks';
import type { Services } from './healthy.ts';

const LATE_MS = 1_000;
const CALL_TIMEOUT_MS = 120_000;
const PASSED = '{"verdict":"passed"}';

/** `directory`: below it the server runs programs, and reads the key. */
export async function startGateServices(directory: string): Promise<Services & { readonly close: () => void }> {
  const secretFile = join(directory, 'key');
  const signingKey = `whsec_${randomBytes(32).toString('base64')}`;
  writeFileSync(secretFile, signingKey, { mode: 0o600 });
  const program = join(directory, 'program');
  writeFileSync(program, '#!/bin/sh\nsleep 1\n', { mode: 0o755 });
  /** Questions so far, by path and promotion. */
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const [, promotion = ''] = /"promotionId":"([^"]+)"/.exec(text) ?? [];
      const key = `${request.url ?? ''} ${promotion}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const answer = (status: number, body: string): void =>
        void response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      if (request.url === '/late') setTimeout(() => answer(200, PASSED), LATE_MS);
      else if (request.url === '/polled' && count < 3) answer(202, '{"verdict":"pending"}');
      else if (request.url === '/slipping' && count === 1) answer(503, 'restarting');
      else if (request.url === '/calling') {
        answer(202, '');
        setTimeout(() => void callBack(text, signingKey), LATE_MS);
      } else answer(200, request.url === '/refusing' ? '{"verdict":"failed"}' : PASSED);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  const url = (name: string): string => `http://127.0.0.1:${port}/${name}`;
  return {
    quick: url('quick'),
    late: url('late'),
    polled: url('polled'),
    slipping: url('slipping'),
    refusing: url('refusing'),
    calling: url('calling'),
    secret: `file:${secretFile}`,
    program,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** As docs/environments.md asks of a service: until it is answered 200 or 409, each time signed anew. */
function callBack(asked: string, key: string): Promise<void> {
  const isTaken = async (): Promise<boolean> => [200, 409].includes(await callOnce(asked, key));
  return waitFor(isTaken, { timeoutMs: CALL_TIMEOUT_MS, why: 'the server takes the verdict of a gate' });
}

/** Signed by the library of Standard Webhooks. */
async function callOnce(asked: string, key: string): Promise<number> {
  // The question of a gate, as docs/environments.md describes it.
  const { callback, ...question } = JSON.parse(asked) as {
    readonly operationId: string;
    readonly callback: { readonly url: string };
  };
  const body = JSON.stringify({ ...question, verdict: 'passed' });
  const now = new Date();
  const signature = new Webhook(key).sign(question.operationId, now, body);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': question.operationId,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
    'webhook-signature': signature,
  };
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  return (await fetch(callback.url, { method: 'POST', headers, body, signal })).status;
}
