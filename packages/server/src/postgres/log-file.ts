/**
 * PostgreSQL's log file, and the bound on its size. PostgreSQL writes to an open file that it was started with; a file
 * that has grown too large is copied to `postgres.log.1` and emptied, which needs no word from PostgreSQL.
 */
import type { EmbeddedDeps } from './embedded-deps.ts';

type LogDeps = Pick<EmbeddedDeps, 'fileSystem'>;

/** Two files of this size are kept at most: enough for weeks of a quiet log, or to see how a storm began. */
const LOG_BYTES_MAX = 8_388_608;
/** Read from the end, for an error's message. */
const TAIL_BYTES_MAX = 8_192;
const TAIL_LINES_MAX = 8;
/** Idempotent. Lines that are written between copy and cut are lost. */
export async function boundLog(deps: LogDeps, logFile: string): Promise<void> {
  const { fileSystem } = deps;
  const found = await fileSystem.stat(logFile).catch(() => null);
  if (found === null || found.size <= LOG_BYTES_MAX) return;
  await fileSystem.copyFile(logFile, `${logFile}.1`);
  const handle = await fileSystem.open(logFile, 'r+');
  try {
    await handle.truncate(0);
  } finally {
    await handle.close();
  }
}

/** Where the file ends now; 0 when there is none. */
export async function logEnd(deps: LogDeps, logFile: string): Promise<number> {
  return (await deps.fileSystem.stat(logFile).catch(() => null))?.size ?? 0;
}

/** The last lines that were written after `from`, joined by ` | `; empty when there are none. */
export async function readLogTail(deps: LogDeps, logFile: string, from: number): Promise<string> {
  const end = await logEnd(deps, logFile);
  const start = Math.max(from, end - TAIL_BYTES_MAX);
  if (end <= start) return '';
  const handle = await deps.fileSystem.open(logFile, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    const lines = buffer.subarray(0, bytesRead).toString('utf8').trim().split('\n');
    return lines.slice(-TAIL_LINES_MAX).join(' | ');
  } finally {
    await handle.close();
  }
}
