/** The end of a log that is cut now and then: its last lines, and what is added, also after it was emptied. */
import { open, readFile, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 200;
/** Read at a time while following. */
const CHUNK_BYTES = 262_144;

/** The file that was cut off before is read too, when this one has too few. */
export async function readLastLines(
  path: string,
  count: number,
): Promise<{ readonly lines: readonly string[]; readonly end: number }> {
  const current = await readFile(path).catch(() => Buffer.alloc(0));
  const lines = linesOf(current);
  if (lines.length < count) lines.unshift(...linesOf(await readFile(`${path}.1`).catch(() => Buffer.alloc(0))));
  return { lines: count === 0 ? [] : lines.slice(-count), end: current.byteLength };
}

function linesOf(bytes: Buffer): string[] {
  return bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

export interface Following {
  /** In bytes. */
  readonly from: number;
  readonly print: (line: string) => void;
  /** Ends it. */
  readonly until: AbortSignal;
}

export async function followLog(path: string, { from, print, until }: Following): Promise<void> {
  let at = from;
  let rest = Buffer.alloc(0);
  while (!until.aborted) {
    const size = (await stat(path).catch(() => null))?.size ?? 0;
    if (size < at) {
      // It was copied away and emptied.
      at = 0;
      rest = Buffer.alloc(0);
    }
    const added = size > at ? await readFrom(path, at) : null;
    if (added === null || added.byteLength === 0) {
      await pause(LOOK_MS, undefined, { signal: until }).catch(() => undefined);
      continue;
    }
    at += added.byteLength;
    rest = Buffer.concat([rest, added]);
    const end = rest.lastIndexOf(0x0a);
    for (const line of linesOf(rest.subarray(0, end + 1))) print(line);
    rest = rest.subarray(end + 1);
  }
}

async function readFrom(path: string, at: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
