/** The verdict of a gate that was asked with `mode: callback`, signed as Standard Webhooks says. */
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { DrillPlace } from './place.ts';
import { waitFor } from './world.ts';

const KEY_BYTES = 32;
const CALL_TIMEOUT_MS = 10_000;
/** Then a service like that gives up; its gate is asked again by whoever retries. */
const ALL_CALLS_TIMEOUT_MS = 30_000;

/** Makes the key of the gate, for the server to read; answers how a definition names it. */
export function writeSecret({ secretFile }: DrillPlace): string {
  writeFileSync(secretFile, randomBytes(KEY_BYTES).toString('hex'), { mode: 0o600 });
  return `file:${secretFile}`;
}

/** Until it is answered 200 or 409, each time signed anew, or the drill is over. Throws `drill.unexpected` when it gives up. */
export async function callBack(place: DrillPlace, asked: string): Promise<void> {
  const question = parseQuestion(asked);
  const isOver = async (): Promise<boolean> =>
    !existsSync(place.secretFile) || [200, 409].includes(await callOnce(place, question));
  await waitFor(isOver, 'the verdict of the gate is taken', ALL_CALLS_TIMEOUT_MS);
}

/** The status of the answer; 0 without one. */
async function callOnce({ secretFile }: DrillPlace, { callback, ...question }: Question): Promise<number> {
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
    return (await fetch(callback.url, { method: 'POST', headers, body, signal })).status;
  } catch {
    // Nobody listens there at the moment.
    return 0;
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
