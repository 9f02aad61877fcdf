/**
 * Follows a promotion to its end: reads the state first, then the stream of events; without the stream it asks again and
 * again. A line on stderr for each change.
 */
import type { Answer } from '@stella/contract/client';
import { AppError, isAppError, isTerminal } from '@stella/domain/client';
import { type CommandContext, type Connection, EXIT_CODES } from '../../command.ts';
import { makeHarmless } from '../../harmless.ts';
import { describePromotion, isOpenGate, latestRounds, promotionView } from './promotion-view.ts';

type Promotion = Answer<'getPromotion'>;

/** Asked this often besides the stream: a lost event costs no more than this. */
const POLL_MS = 1_000;
/** Failures in a row, each with a poll's pause, before it is given up. */
const FAILURES_MAX = 30;

/** `timeoutMs` null: as long as it takes. Answers the exit code: 0, 7 or 8. */
export async function followToEnd(
  context: CommandContext,
  promotionId: string,
  timeoutMs: number | null,
): Promise<number> {
  const connection = await context.connect();
  const endsAtMs = timeoutMs === null ? Number.POSITIVE_INFINITY : context.terminal.nowMs() + timeoutMs;
  let told = '';
  const last = await watchPromotion(context, connection, { promotionId, endsAtMs }, (promotion) => {
    const words = progressLine(promotion);
    if (words !== told && !context.globals.isQuiet) context.terminal.err(`${words}\n`);
    told = words;
  });
  context.show(promotionView(last));
  if (!isTerminal(last.status)) return EXIT_CODES.stillPending;
  return last.status === 'completed' ? EXIT_CODES.ok : EXIT_CODES.endedOtherwise;
}

/** Says nothing; throws `request.timeout` when it was interrupted. */
export async function untilEnded(context: CommandContext, promotionId: string): Promise<void> {
  const order = { promotionId, endsAtMs: Number.POSITIVE_INFINITY };
  await watchPromotion(context, await context.connect(), order, () => undefined);
}

/** `status --watch`: in place on a terminal, a block per change elsewhere. */
export async function watchStatus(context: CommandContext, promotionId: string): Promise<number> {
  const connection = await context.connect();
  const { terminal } = context;
  let shown = '';
  const order = { promotionId, endsAtMs: Number.POSITIVE_INFINITY };
  const last = await watchPromotion(context, connection, order, (promotion) => {
    if (!terminal.isOutTty) {
      const words = progressLine(promotion);
      if (words !== shown) terminal.out(`${words}\n`);
      shown = words;
      return;
    }
    const text = makeHarmless(describePromotion(promotion));
    const height = shown === '' ? 0 : shown.split('\n').length;
    // Up over what was shown, and everything below it away (ECMA-48: CPL, ED).
    terminal.out(`${height === 0 ? '' : `\u001b[${height}F\u001b[J`}${text}\n`);
    shown = text;
  });
  return last.status === 'completed' ? EXIT_CODES.ok : EXIT_CODES.endedOtherwise;
}

interface WatchOrder {
  readonly promotionId: string;
  readonly endsAtMs: number;
}

/** Calls `tell` with each state that is read, until the end of the promotion or of the time. */
async function watchPromotion(
  { terminal }: CommandContext,
  { client }: Connection,
  { promotionId, endsAtMs }: WatchOrder,
  tell: (promotion: Promotion) => void,
): Promise<Promotion> {
  const parameters = { promotion: promotionId };
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, terminal.interrupted]);
  let wakeUp = (): void => undefined;
  // Once for all waits: a listener for each would pile up.
  terminal.interrupted.addEventListener('abort', () => wakeUp(), { once: true, signal: stop.signal });
  void listen(client, promotionId, signal, () => wakeUp());
  let failureCount = 0;
  try {
    // Ends with the promotion, at the deadline, by an interrupt or after too many failures in a row.
    for (;;) {
      try {
        const promotion = await client.call('getPromotion', { parameters });
        failureCount = 0;
        tell(promotion);
        if (isTerminal(promotion.status) || terminal.nowMs() >= endsAtMs) return promotion;
      } catch (error) {
        failureCount += 1;
        const isPassing = isAppError(error) && error.kind === 'Unavailable';
        if (!isPassing || failureCount > FAILURES_MAX) throw error;
      }
      if (terminal.interrupted.aborted) throw new AppError('request.timeout', { details: { timeoutMs: 0 } });
      const waitMs = Math.min(POLL_MS, Math.max(0, endsAtMs - terminal.nowMs()));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    stop.abort();
  }
}

/** Only a hint to look sooner; when it breaks, asking again goes on. */
async function listen(
  client: Connection['client'],
  promotion: string,
  signal: AbortSignal,
  onEvent: () => void,
): Promise<void> {
  try {
    for await (const _event of client.stream({ query: { promotion }, signal })) onEvent();
  } catch {
    // The poll goes on without it.
  }
}

/** `evaluate_gates  in_progress  2 of 3 gates passed, waits for approval` */
export function progressLine(promotion: Promotion): string {
  const gates = latestRounds(promotion.gates);
  const passed = gates.filter((gate) => gate.verdict === 'passed').length;
  const open = gates.filter(isOpenGate).map((gate) => gate.gate);
  const where = `${promotion.release.name} → ${promotion.environment}`;
  const isGating = promotion.step === 'evaluate_gates' && promotion.endedAt === null;
  const detail = isGating
    ? `  ${passed} of ${gates.length} gates passed${open.length > 0 ? `, waits for ${open.join(', ')}` : ''}`
    : '';
  const ending = promotion.ending ? `  ${promotion.ending.message}` : '';
  const step = promotion.endedAt === null ? `  ${promotion.step}` : '';
  return makeHarmless(`${where}  ${promotion.status}${step}${detail}${ending}`);
}
