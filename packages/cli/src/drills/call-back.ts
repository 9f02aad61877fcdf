/** The verdict of a gate that was asked with `mode: callback`, signed as Standard Webhooks says. */
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { DrillPlace } from './place.ts';

const KEY_BYTES = 32;
const CALL_TIMEOUT_MS = 10_000;

/** Makes the key of the gate, for the server to read; answers how a definition names it. */
export function writeSecret({ secretFile }: DrillPlace): string {
  writeFileSync(secretFile, randomBytes(KEY_BYTES).toString('hex'), { mode: 0o600 });
  return `file:${secretFile}`;
}

/** What the server answers is its own matter: an attempt that got no verdict is what the gate shows. */
export async function callBack({ secretFile }: DrillPlace, asked: string): Promise<void> {
  const { callback, ...question } = parseQuestion(asked);
  const body = JSON.stringify({ ...question, verdict: 'passed', message: 'of a drill' });
  const seconds = Math.floor(Date.now() / 1_000);
  const key = readFileSync(secretFile, 'utf8');
  const signed = createHmac('sha256', key).update(`${question.operationId}.${seconds}.${body}`).digest('base64');
  const headers = {
    'content-type': 'application/json',
    'webhook-id': question.operationId,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signed}`,
  };
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  try {
    await fetch(callback.url, { method: 'POST', headers, body, signal });
  } catch {
    // Nobody listens there at the moment; the gate asks again.
  }
}

interface Question {
  readonly operationId: string;
  readonly callback: { readonly url: string };
}

function parseQuestion(text: string): Question {
  // Made by the server, as docs/environments.md describes it.
  return JSON.parse(text) as Question;
}
