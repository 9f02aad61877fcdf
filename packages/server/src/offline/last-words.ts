/** The last lines of logs that tell of a failure: of PostgreSQL, and of the orchestrator, whose lines are JSON. */
import type { FileSystem } from '../ports/file-system.ts';

/** Read from the end: some hundred lines. */
const TAIL_BYTES_MAX = 131_072;
const WORDS_MAX = 5;
const WORD_LENGTH_MAX = 300;

/** What sessions are told while PostgreSQL starts or is stopped in order: a consequence, and no reason. */
const TURNED_AWAY =
  /FATAL: +(terminating .+ due to administrator command|the database system is (shutting down|starting up|not yet accepting connections)|connection to client lost)/;

type Files = Pick<FileSystem, 'open' | 'stat'>;

/** Null when there is no such file, or it is not ours to read. */
async function readTail(files: Files, path: string): Promise<readonly string[] | null> {
  try {
    const { size } = await files.stat(path);
    const start = Math.max(0, size - TAIL_BYTES_MAX);
    const handle = await files.open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
      return buffer.subarray(0, bytesRead).toString('utf8').split('\n');
    } finally {
      await handle.close();
    }
  } catch {
    // Whoever asks says that nothing could be read.
    return null;
  }
}

/** Lines of PostgreSQL's log that say why it failed, with FATAL or PANIC, the newest last; only those since it was started last. */
export async function readFatalLines(files: Files, path: string): Promise<readonly string[] | null> {
  const lines = await readTail(files, path);
  if (lines === null) return null;
  const ready = lines.findLastIndex((line) => line.includes('database system is ready to accept connections'));
  const said = lines.slice(ready + 1).filter((line) => /\b(FATAL|PANIC):/.test(line));
  return shorten(said.filter((line) => !TURNED_AWAY.test(line)));
}

/** What the orchestrator has said as an error since it was started last, the newest last. */
export async function readErrorLines(files: Files, path: string): Promise<readonly string[] | null> {
  const lines = await readTail(files, path);
  if (lines === null) return null;
  const said = lines.map(toSaid);
  const listening = said.findLastIndex((one) => one?.message === 'listening');
  return shorten(said.slice(listening + 1).flatMap((one) => (one?.isError ? [one.message] : [])));
}

/** Null: a line that is none of its own, as of a program that it runs. */
function toSaid(line: string): { readonly isError: boolean; readonly message: string } | null {
  if (line.startsWith('error: ')) return { isError: true, message: line.slice('error: '.length) };
  try {
    // Its own form; of another one nothing is told.
    const { level, msg, error } = JSON.parse(line) as { level?: string; msg?: string; error?: { message?: string } };
    if (typeof msg !== 'string') return null;
    const why = typeof error?.message === 'string' ? `: ${error.message}` : '';
    return { isError: level === 'error', message: `${msg}${why}` };
  } catch {
    // Not JSON: of a program that it runs, whose failures it tells itself.
    return null;
  }
}

function shorten(lines: readonly string[]): readonly string[] {
  return lines.slice(-WORDS_MAX).map((line) => line.trim().slice(0, WORD_LENGTH_MAX));
}
