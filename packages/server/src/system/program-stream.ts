/** One duplex over a program's stdin and stdout, whichever end comes first, and a program run to its end over it. */
import { Duplex, type Readable, type Writable } from 'node:stream';
import type { HostProgram, HostRunOptions, HostRunResult } from '../ports/target-host.ts';

/** From the moment when a program of this machine is told to end to its result without it: its own grace and the way back. */
const END_WAIT_MS = 8_000;

export interface ProgramEnds {
  readonly stdout: Readable;
  readonly stdin: Writable;
  /** The reader gave up: nobody reads or writes any more, so `stdout` may be left. */
  readonly onDestroy: () => void;
}

/** What the program no longer wants to read is dropped: that it ended early is told by its exit code. */
export function joinStreams({ stdout, stdin, onDestroy }: ProgramEnds): Duplex {
  const stream = new Duplex({
    read: () => void stdout.resume(),
    write: (chunk, encoding, done) => {
      if (stdin.destroyed || stdin.writableEnded) done();
      else if (stdin.write(chunk, encoding)) done();
      else waitForRoom(stdin, done);
    },
    final: (done) => {
      stdin.end();
      done();
    },
    destroy: (error, done) => {
      stdin.end();
      onDestroy();
      done(error);
    },
  });
  stdin.on('error', () => undefined);
  stdout.on('error', () => stream.push(null));
  stdout.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) stdout.pause();
  });
  for (const event of ['end', 'close']) stdout.once(event, () => stream.push(null));
  return stream;
}

function waitForRoom(stdin: Writable, done: () => void): void {
  const go = (): void => {
    for (const event of ['drain', 'close', 'error']) stdin.off(event, go);
    done();
  };
  for (const event of ['drain', 'close', 'error']) stdin.on(event, go);
}

/** Keeps the last `bytesMax` bytes of what is written. */
export function keepTail(stream: Readable, bytesMax: number): () => string {
  let kept = Buffer.alloc(0);
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-bytesMax);
  });
  return () => kept.toString('utf8');
}

/** Gives the input, keeps the output, and ends the program by its deadline, its signal, or when it writes too much. */
export async function runProgram(
  { stream, ended }: HostProgram,
  { input, timeoutMs, signal, outputBytesMax }: Omit<HostRunOptions, 'env'>,
  endWaitMs = END_WAIT_MS,
): Promise<HostRunResult> {
  const ending = { isTimedOut: false, isAborted: false, isCut: false };
  let stop: () => void = () => undefined;
  const given = new Promise<null>((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    void ended.then(() => clearTimeout(timer));
    stop = () => {
      stream.destroy();
      timer ??= setTimeout(() => resolve(null), endWaitMs);
    };
  });
  const end = (why: keyof typeof ending): void => {
    ending[why] = true;
    stop();
  };
  const deadline = setTimeout(() => end('isTimedOut'), timeoutMs);
  const abort = (): void => end('isAborted');
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const parts: Buffer[] = [];
  let bytes = 0;
  stream.on('error', () => undefined);
  stream.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes <= outputBytesMax) parts.push(part);
    else if (!ending.isCut) end('isCut');
  });
  if (input === undefined || typeof input === 'string') stream.end(input ?? '');
  else input.once('error', () => end('isAborted')).pipe(stream);
  const read = new Promise<void>((resolve) => {
    for (const event of ['end', 'close']) stream.once(event, () => resolve());
  });
  // What came with its end may still be on the way through the stream.
  const result = await Promise.race([ended.then((one) => read.then(() => one)), given]);
  clearTimeout(deadline);
  signal.removeEventListener('abort', abort);
  const wasEnded = Object.values(ending).some(Boolean);
  return {
    exitCode: wasEnded ? null : (result?.exitCode ?? null),
    stdout: Buffer.concat(parts).toString('utf8'),
    stderr: (result?.stderr ?? '').slice(-outputBytesMax),
    ...ending,
  };
}
