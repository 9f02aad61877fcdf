/** Asks the script of `host-script.ts` for one step after another, over a program that runs it inside of the fence or beside it. */
import { AppError } from '@stella/domain';
import type { HostProgram, TargetHost } from '../../ports/target-host.ts';
import type { CallScope } from '../call-scope.ts';
import { readLine } from '../program-lines.ts';
import { diskCodeOfWords } from '../target-errors.ts';
import type { Current } from './current-link.ts';
import { parseReleaseLink, parseReleaseName, type ReleaseName } from './files-place.ts';
import { ANSWER_BYTES_MAX, directoryArgv, type HostStep, STEP_CODES } from './host-script.ts';
import { differenceIn } from './tree-records.ts';

/** From the end of what it says to its exit code. */
const LAST_WORDS_WAIT_MS = 5_000;
/** Of what a step said, for people. */
const SAID_LENGTH_MAX = 500;
/** Each costs the host a process, and the archive's own pieces may be as small as a header. */
const PIECE_BYTES = 1_048_576;

export interface HostSession {
  /** What it said. Throws `target.disk_full`, `target.denied` or `target.disk` when it did not work, `target.interrupted`. */
  step(step: Exclude<HostStep, 'receive'>, ...names: readonly string[]): Promise<string>;
  readCurrent(): Promise<Current>;
  listReleases(): Promise<readonly ReleaseName[]>;
  /** In words; null when the tree is whole. */
  findDifference(name: ReleaseName): Promise<string | null>;
  /** Unpacks an archive of `index` and `tree/…`, compares the one with the other, and places it under the name. */
  receive(name: ReleaseName, archive: AsyncIterable<Uint8Array>): Promise<void>;
}

export interface SessionWish {
  readonly target: string;
  readonly program: HostProgram;
  readonly scope: CallScope;
}

interface StepAnswer {
  readonly code: number;
  readonly words: string;
}

export function makeHostSession(wish: SessionWish): HostSession {
  const { program, target } = wish;
  const ask = (step: HostStep, names: readonly string[]): Promise<StepAnswer> => {
    program.stream.write(`${[step, ...names].join(' ')}\n`);
    return readAnswer(wish);
  };
  const step: HostSession['step'] = async (name, ...names) => mustWork(target, name, await ask(name, names));
  return {
    step,
    listReleases: async () =>
      (await step('releases'))
        .split('\n')
        .map(parseReleaseName)
        .filter((name) => name !== null),
    async readCurrent() {
      const answer = await ask('current', []);
      if (answer.code === STEP_CODES.notSo) return { kind: 'foreign', message: answer.words };
      const link = mustWork(target, 'current', answer);
      if (link === '') return { kind: 'nothing' };
      const name = parseReleaseLink(link);
      return name ? { kind: 'release', name } : { kind: 'foreign', message: `"current" points to "${link}"` };
    },
    async findDifference(name) {
      const answer = await ask('whole', [name.text]);
      if (answer.code === STEP_CODES.notSo) return answer.words;
      const difference = differenceIn(mustWork(target, 'whole', answer));
      if (difference.kind === 'unknown') throw interrupted(target, 'its files could not be compared');
      return difference.words;
    },
    async receive(name, archive) {
      program.stream.write(`receive ${name.text}\n`);
      for await (const piece of piecesOf(archive)) await write(wish, piece);
      program.stream.write('0\n');
      mustWork(target, 'receive', await readAnswer(wish));
    },
  };
}

/** Beside the fence: for what only looks, and for what must be there before the fence. */
export async function withHostSession<Value>(
  host: TargetHost,
  { target, directory, scope }: { readonly target: string; readonly directory: string; readonly scope: CallScope },
  run: (session: HostSession) => Promise<Value>,
): Promise<Value> {
  scope.check();
  const program = await host.open(directoryArgv(directory), { signal: scope.signal });
  program.stream.on('error', () => undefined);
  try {
    return await run(makeHostSession({ target, program, scope }));
  } finally {
    program.stream.end();
    program.stream.destroy();
  }
}

async function readAnswer({ target, program, scope }: SessionWish): Promise<StepAnswer> {
  const line = await readLine(program.stream, ANSWER_BYTES_MAX);
  scope.check();
  const text = Buffer.from(line, 'base64').toString('utf8');
  const end = text.lastIndexOf('\0');
  const code = /^\d{1,3}$/.exec(text.slice(end + 1));
  if (end !== -1 && code) return { code: Number(code[0]), words: text.slice(0, end) };
  const unknown = { exitCode: null, stderr: '' };
  const { stderr } = await Promise.race([program.ended, scope.pause(LAST_WORDS_WAIT_MS).then(() => unknown)]);
  scope.check();
  throw interrupted(target, `what works in its directory was ended ${lastWords(stderr)}`.trim());
}

function mustWork(target: string, step: HostStep, { code, words }: StepAnswer): string {
  if (code === STEP_CODES.fine) return words;
  const message = lastWords(words) || `${step} ended with exit code ${code}`;
  // What runs has changed already: whether it stays is not known, so it is no clear no.
  if (code === STEP_CODES.switchedUnsynced) throw interrupted(target, `switched, but then: ${message}`);
  throw new AppError(diskCodeOfWords(words), { details: { target, message } });
}

/** A size in a line, then so many bytes. */
async function* piecesOf(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const piece = (): Uint8Array => Buffer.concat([Buffer.from(`${heldBytes}\n`), ...held]);
  for await (const chunk of archive) {
    held.push(chunk);
    heldBytes += chunk.byteLength;
    if (heldBytes < PIECE_BYTES) continue;
    yield piece();
    held = [];
    heldBytes = 0;
  }
  if (heldBytes > 0) yield piece();
}

/** Waits while the host takes no more, and no longer than the call. */
async function write({ program: { stream }, target, scope }: SessionWish, piece: Uint8Array): Promise<void> {
  scope.check();
  if (stream.destroyed) throw interrupted(target, 'the connection was lost while its files were sent');
  if (stream.write(piece)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      for (const event of ['drain', 'close']) stream.off(event, go);
      resolve();
    };
    for (const event of ['drain', 'close']) stream.on(event, go);
    if (stream.destroyed) go();
  });
}

function lastWords(words: string): string {
  return words
    .replace(/[\s\0]+/g, ' ')
    .trim()
    .slice(-SAID_LENGTH_MAX);
}

function interrupted(target: string, message: string): AppError {
  return new AppError('target.interrupted', { details: { target, message } });
}
