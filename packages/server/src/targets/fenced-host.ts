/**
 * A target's fence on its host, by the script `fence-script/fence.sh`: what `fence-rules.ts` decides is decided there, in
 * one step with what is stored, so that no two orchestrators and no paused one can come between. A kind of target does its
 * work over a program that runs inside of the fence: when a newer operation is accepted, that program is ended.
 */
import { AppError, type Fence, type TargetHolding } from '@stella/domain';
import type { OperationAnswer, SealAnswer } from '../ports/target.ts';
import type { HostArgv, HostProgram, TargetHost } from '../ports/target-host.ts';
import type { CallScope } from './call-scope.ts';
import { FENCE_SCRIPT } from './fence-script/fence-script.ts';
import { readLine } from './program-lines.ts';
import { parseRecordedAnswer } from './recorded-answer.ts';
import { diskCodeOfWords, FencedOut } from './target-errors.ts';

/** A new operation gives the one before so long to end by itself, or a third of a short call. */
const APPLY_WAIT_MS = 30_000;
/** How long a seal waits for the operation that it ends to record its result. */
const SEAL_WAIT_MS = 2_000;
/** Of the script's own work: it waits for locks up to 20 s, and ends a group within 8 s. */
const SCRIPT_TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 65_536;
/** After the work is done its program ends by itself. */
const LEAVE_WAIT_MS = 15_000;
/** Messages that are kept at the target. */
const MESSAGE_LENGTH_MAX = 2_000;

export interface FencePlace {
  readonly target: string;
  /** Absolute, or below `/var/lib/stella` for root and `~/.local/state/stella` for other users. */
  readonly stateDirectory: string;
}

export interface FenceState {
  readonly holds: TargetHolding | null;
}

export interface FenceProbe extends FenceState {
  /** Programs that the host lacks. */
  readonly missing: readonly string[];
  readonly freeBytes: number | null;
  /** As it is there. */
  readonly directory: string;
}

export interface Operation {
  readonly fence: Fence;
  readonly operationId: string;
}

export type LastOperation = Operation & { readonly result: OperationAnswer | null };

/** The program inside of the fence; its stdout begins after the script's own answer. */
export type FencedWork = (program: HostProgram) => Promise<OperationAnswer>;

/** All throw an `AppError`, or `FencedOut`; none changes what runs but `apply` by its program. */
export interface FencedHost {
  probe(scope: CallScope): Promise<FenceProbe>;
  holds(scope: CallScope): Promise<TargetHolding | null>;
  seal(scope: CallScope, fence: Fence): Promise<SealAnswer>;
  /** The operation that was accepted last, with what it recorded; null before the first. */
  last(scope: CallScope): Promise<LastOperation | null>;
  /** Throws `FencedOut` when the operation is no longer the accepted one: just before the switch. */
  check(scope: CallScope, operation: Operation): Promise<void>;
  /**
   * Accepts the operation, runs `argv` inside of the fence and lets `work` use it; a clear answer is recorded before the
   * program is let go. A repeat is answered with what was recorded. `operationId` must be a name (`checkOperationId`).
   */
  apply(scope: CallScope, operation: Operation, argv: HostArgv, work: FencedWork): Promise<OperationAnswer>;
}

export function makeFencedHost(host: TargetHost, place: FencePlace): FencedHost {
  const script: RunScript = (scope, verb, ...args) => runScript(host, place, scope, [verb, ...args]);
  return {
    probe: async (scope) => toProbe(await script(scope, 'probe'), place),
    holds: async (scope) => toHolding(await script(scope, 'holds')),
    seal: (scope, fence) => seal(script, scope, fence),
    last: async (scope) => toLast(await script(scope, 'holds')),
    check: async (scope, operation) => {
      await script(scope, 'check', ...keyOf(operation));
    },
    apply: (scope, operation, argv, work) => apply({ host, place, script, scope }, operation, argv, work),
  };
}

async function seal(script: RunScript, scope: CallScope, fence: Fence): Promise<SealAnswer> {
  try {
    return { outcome: 'sealed', last: toLast(await script(scope, 'seal', ...words(fence), seconds(SEAL_WAIT_MS))) };
  } catch (error) {
    if (error instanceof FencedOut) return { outcome: 'refused', held: error.held };
    throw error;
  }
}

type RunScript = (scope: CallScope, verb: string, ...args: readonly string[]) => Promise<ScriptAnswer>;

interface ScriptAnswer {
  readonly lines: readonly (readonly string[])[];
}

function fenceArgv({ stateDirectory }: FencePlace, verb: string, args: readonly string[]): HostArgv {
  return ['sh', '-c', 's=$1; shift; eval "$s"', 'stella', FENCE_SCRIPT, verb, stateDirectory, ...args];
}

async function runScript(
  host: TargetHost,
  place: FencePlace,
  scope: CallScope,
  [verb, ...args]: readonly [string, ...string[]],
): Promise<ScriptAnswer> {
  scope.check();
  const { exitCode, stdout, stderr, isTimedOut } = await host.run(fenceArgv(place, verb, args), {
    timeoutMs: Math.min(SCRIPT_TIMEOUT_MS, scope.timeoutMs),
    signal: scope.signal,
    outputBytesMax: ANSWER_BYTES_MAX,
  });
  scope.check();
  const lines = toLines(stdout);
  throwRefusal(place, lines[0] ?? [], stderr);
  if (exitCode === 0) return { lines };
  // Without a word of the script, its host lacks what runs it: over SSH that is `timeout`, then a shell.
  if (exitCode === 127 && stdout === '') {
    throw new AppError('target.program_missing', { details: { target: place.target, message: lastLine(stderr) } });
  }
  const message = isTimedOut ? `${verb} did not end in time` : `${verb}: exit code ${exitCode ?? 'unknown'}`;
  throw interrupted(place, `${message} ${lastLine(stderr)}`.trim());
}

function toLines(text: string): readonly (readonly string[])[] {
  return text.split('\n').map((line) => line.split(' '));
}

/** The answers by which the script says no. */
function throwRefusal({ target }: FencePlace, [word = '', ...rest]: readonly string[], stderr: string): void {
  switch (word) {
    case 'refused':
    case 'fenced':
      throw new FencedOut(toFence(rest));
    case 'busy':
      throw new AppError('target.busy', { details: { target, deadlineMs: APPLY_WAIT_MS } });
    case 'unwritable': {
      const message = lastLine(stderr) || `${rest.join(' ')} cannot be written`;
      throw new AppError(diskCodeOfWords(stderr), { details: { target, message } });
    }
    case 'damaged':
      throw new AppError('target.fence_damaged', { details: { target, message: rest.join(' ') } });
  }
}

function interrupted({ target }: FencePlace, message: string): AppError {
  return new AppError('target.interrupted', { details: { target, message } });
}

interface ApplyDeps {
  readonly host: TargetHost;
  readonly place: FencePlace;
  readonly script: RunScript;
  readonly scope: CallScope;
}

async function apply(
  { host, place, script, scope }: ApplyDeps,
  operation: Operation,
  argv: HostArgv,
  work: FencedWork,
): Promise<OperationAnswer> {
  scope.check();
  const wait = seconds(Math.min(APPLY_WAIT_MS, scope.timeoutMs / 3));
  const args = [...keyOf(operation), wait, '--', ...argv];
  const program = await host.open(fenceArgv(place, 'apply', args), { signal: scope.signal });
  const { stream, ended } = program;
  let isAccepted = false;
  stream.on('error', () => undefined);
  try {
    const first = (await readLine(stream, LINE_BYTES_MAX)).split(' ');
    if (first[0] !== 'accepted') return await toEarlyAnswer(place, first, { program, operation, scope });
    isAccepted = true;
    const answer = await work(program);
    scope.check();
    if (answer.outcome === 'succeeded' || answer.outcome === 'failed') {
      const text = JSON.stringify({ ...answer, message: answer.message.slice(0, MESSAGE_LENGTH_MAX) });
      await script(scope, 'record', ...keyOf(operation), text);
    } else {
      await throwFencedOut(script, scope, operation);
    }
    stream.end();
    stream.resume();
    await within(LEAVE_WAIT_MS, ended, scope);
    return answer;
  } catch (error) {
    if (isAccepted) await throwFencedOut(script, scope, operation, error);
    throw error;
  } finally {
    stream.destroy();
  }
}

/** That a newer operation ended this one explains everything else; nothing is thrown when that cannot be found out. */
async function throwFencedOut(
  script: RunScript,
  scope: CallScope,
  operation: Operation,
  cause?: unknown,
): Promise<void> {
  if (scope.ending() !== null || cause instanceof FencedOut) return;
  try {
    await script(scope, 'check', ...keyOf(operation));
  } catch (error) {
    if (error instanceof FencedOut) throw new FencedOut(error.held, cause);
    // What happened before is told.
  }
}

interface Early {
  readonly program: HostProgram;
  readonly operation: Operation;
  readonly scope: CallScope;
}

/** The program was not started. */
async function toEarlyAnswer(
  place: FencePlace,
  first: readonly string[],
  { program, operation, scope }: Early,
): Promise<OperationAnswer> {
  let rest = '';
  for await (const chunk of program.stream) {
    if (rest.length < ANSWER_BYTES_MAX) rest += String(chunk);
  }
  const { exitCode, stderr } = await program.ended;
  scope.check();
  throwRefusal(place, first, stderr);
  if (first[0] !== 'known') {
    throw interrupted(place, `its fence ended with exit code ${exitCode ?? 'unknown'} ${lastLine(stderr)}`.trim());
  }
  const recorded = toResult(toLines(rest), operation);
  if (recorded) return recorded;
  const message = 'this operation was begun before, and did not say how it ended';
  return { outcome: 'errored', code: 'target.interrupted', message };
}

function toProbe({ lines }: ScriptAnswer, { stateDirectory }: FencePlace): FenceProbe {
  const valueOf = (word: string): string | undefined => lines.find(([first]) => first === word)?.[1];
  const free = Number(valueOf('free'));
  return {
    missing: lines.filter(([word]) => word === 'missing').map(([, name = '']) => name),
    freeBytes: Number.isFinite(free) ? free * 1_024 : null,
    directory:
      lines
        .find(([word]) => word === 'directory')
        ?.slice(1)
        .join(' ') ?? stateDirectory,
    holds: toHolding({ lines }),
  };
}

/** `pair <epoch> <n> <operation> <epoch> <n> <operation>`: the accepted one, and the newest that was an operation. */
function toHolding({ lines }: ScriptAnswer): TargetHolding | null {
  const pair = lines.find(([word]) => word === 'pair');
  if (!pair) throw new Error('the fence script told no pair');
  const fence = toFence(pair.slice(1));
  if (fence.epoch === 0 && fence.n === 0) return null;
  const operationId = pair[6] ?? NONE;
  return { fence, operation: operationId === NONE ? null : { fence: toFence(pair.slice(4)), operationId } };
}

const NONE = '-';

function toLast({ lines }: ScriptAnswer): LastOperation | null {
  const last = toHolding({ lines })?.operation ?? null;
  return last && { ...last, result: toResult(lines, last) };
}

/** `result <epoch> <n> <operation> <JSON>` of that operation. */
function toResult(lines: ScriptAnswer['lines'], operation: Operation): OperationAnswer | null {
  const [, epoch, n, operationId, ...text] = lines.find(([word]) => word === 'result') ?? [];
  const isIts = [epoch, n, operationId].join(' ') === keyOf(operation).join(' ');
  if (!isIts) return null;
  try {
    return parseRecordedAnswer(JSON.parse(text.join(' ')));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function words({ epoch, n }: Fence): readonly [string, string] {
  return [String(epoch), String(n)];
}

function keyOf({ fence, operationId }: Operation): readonly string[] {
  return [...words(fence), operationId];
}

function toFence([epoch, n]: readonly string[]): Fence {
  return { epoch: Number(epoch), n: Number(n) };
}

function seconds(durationMs: number): string {
  return (Math.max(100, durationMs) / 1_000).toFixed(1);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
}

/** Of the script's own answer. */
const LINE_BYTES_MAX = 1_024;

/** Null when it takes longer, or the call is over for some time. */
async function within<Value>(timeoutMs: number, ended: Promise<Value>, scope: CallScope): Promise<Value | null> {
  const waited = scope.pause(timeoutMs).then(() => null);
  return Promise.race([ended, waited]);
}
