/** Asks a server of this machine for `/readyz`. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

/** The server itself gives its database 2 s. */
const TIMEOUT_MS = 3_000;
const ANSWER_BYTES_MAX = 65_536;

/** Null when it is ready; else in words why it is not. Never rejects. */
export function askReady(listening: string): Promise<string | null> {
  const url = new URL('/readyz', listening);
  return new Promise((resolve) => {
    const onAnswer = (answer: AsyncIterable<Buffer> & { statusCode?: number | undefined }): void => {
      readAll(answer).then(
        (text) => resolve(answer.statusCode === 200 ? null : wordsOf(text)),
        (error: unknown) => resolve(`its answer ended early: ${String(error)}`),
      );
    };
    const options = { timeout: TIMEOUT_MS, agent: false };
    const asked =
      url.protocol === 'https:'
        ? // The certificate names another host than the address that it listens on. Nothing secret is sent or believed.
          requestHttps(url, { ...options, rejectUnauthorized: false }, onAnswer)
        : requestHttp(url, options, onAnswer);
    asked.on('timeout', () =>
      asked.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s: its loop is blocked`)),
    );
    asked.on('error', (error) => resolve(error.message));
    asked.end();
  });
}

async function readAll(answer: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of answer) {
    text += chunk.toString('utf8');
    if (text.length > ANSWER_BYTES_MAX) break;
  }
  return text;
}

/** What the parts that are not ready say. */
function wordsOf(text: string): string {
  try {
    // Our own server's answer; of anything else the text itself is told.
    const { parts } = JSON.parse(text) as { parts: readonly { part: string; isReady: boolean; message: string }[] };
    return parts
      .filter((part) => !part.isReady)
      .map(({ part, message }) => `${part}: ${message}`)
      .join(', ');
  } catch {
    // Not JSON: something else listens there.
    return `it answered ${text.slice(0, 100)}`;
  }
}
