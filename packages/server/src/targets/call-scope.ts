/**
 * One call of a verb: its deadline, its signal, and the promise that it ends. What runs inside asks the scope whether it
 * may go on; what hangs in the kernel (a dead network disk) is given up shortly after the call's end.
 */
import { AppError } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { TargetCall } from '../ports/target.ts';

/** From the end of a call to an answer without its work: time to notice the signal and to undo. */
const GIVE_UP_AFTER_MS = 400;

export interface CallScope {
  /** Aborts when the caller gives up or the deadline passes. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Why the call is over; null while it goes on. */
  ending(): 'deadline' | 'aborted' | null;
  /** Throws `target.interrupted` when the call is over. */
  check(): void;
  /** Waits, at most until the call is over. */
  pause(delayMs: number): Promise<void>;
}

/**
 * Runs one call. `run` gets a way to note its answer before it is done: a call that has to be given up then still answers
 * that. Without one, and when `run` throws, `toAnswer` makes the answer of the error. Never rejects.
 */
export async function withinCall<Answer>(
  { call, clock, target }: { readonly call: TargetCall; readonly clock: Clock; readonly target: string },
  toAnswer: (error: unknown) => Answer,
  run: (scope: CallScope, note: (answer: Answer) => void) => Promise<Answer>,
): Promise<Answer> {
  const controller = new AbortController();
  let reason: 'deadline' | 'aborted' | null = null;
  let noted: { readonly answer: Answer } | null = null;
  let giveUp: () => void = () => undefined;
  let stopGivingUp: () => void = () => undefined;
  const end = (why: 'deadline' | 'aborted'): void => {
    if (reason !== null) return;
    reason = why;
    stopGivingUp = clock.schedule(GIVE_UP_AFTER_MS, () => giveUp());
    controller.abort();
  };
  const interrupted = (): AppError => {
    const message = reason === 'aborted' ? 'the call was given up' : `no end within ${call.timeoutMs} ms`;
    return new AppError('target.interrupted', { details: { target, message } });
  };
  const scope: CallScope = {
    signal: controller.signal,
    timeoutMs: call.timeoutMs,
    ending: () => reason,
    check: () => {
      if (reason !== null) throw interrupted();
    },
    pause: (delayMs) => pause(clock, delayMs, controller.signal),
  };
  const abort = (): void => end('aborted');
  const overdue = new Promise<Answer>((resolve) => {
    giveUp = () => resolve(noted ? noted.answer : toAnswer(interrupted()));
  });
  const stopDeadline = clock.schedule(call.timeoutMs, () => end('deadline'));
  call.signal.addEventListener('abort', abort, { once: true });
  if (call.signal.aborted) abort();
  const working = run(scope, (answer) => {
    noted = { answer };
  }).catch(toAnswer);
  try {
    return await Promise.race([working, overdue]);
  } finally {
    stopDeadline();
    stopGivingUp();
    call.signal.removeEventListener('abort', abort);
  }
}
