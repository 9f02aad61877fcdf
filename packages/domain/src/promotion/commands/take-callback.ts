/**
 * A gate's service calls back: its verdict becomes the outcome of the attempt that it was asked by (safety S7), unless that
 * attempt is over. Who may do so is shown by the signature, which the caller has checked; here it is held against the
 * promotion.
 */
import { AppError } from '../../errors/app-error.ts';
import type { Actor } from '../../identity/actor.ts';
import { canonicalJson } from '../../values/canonical-json.ts';
import type { GateRunId } from '../../values/ids.ts';
import { isPlanted } from '../../planted-bugs.ts';
import type { Decision } from '../decide/decision.ts';
import { makeDraft, settleAttempt } from '../decide/draft.ts';
import type { DecideContext, PromotionSnapshot } from '../snapshot.ts';
import { isTerminal } from '../status.ts';
import { concludeCommand } from './command.ts';

/** What a service says, by the operation id that it was asked with. */
export interface CallbackVerdict {
  readonly operationId: string;
  readonly gateRunId: GateRunId;
  /** What it has judged, as it was asked. */
  readonly components: readonly { readonly name: string; readonly digest: string }[];
  readonly verdict: 'passed' | 'failed';
  readonly message: string;
}

/** Errors: `callback.foreign`, `callback.void`. */
export function takeCallback(snapshot: PromotionSnapshot, context: DecideContext, callback: CallbackVerdict): Decision {
  const { promotion } = snapshot;
  const { operationId, verdict, message } = callback;
  const attempt = snapshot.attempts.find((one) => one.operationId === operationId);
  if (attempt?.purpose !== 'gate') throw new AppError('callback.unknown', { details: { operationId } });
  refuseForeign(callback, { gateRunId: attempt.gateRunId, components: snapshot.release.components });
  const isAnswered = attempt.result !== null && !isPlanted('callback.taken_twice');
  const isLate = context.nowMs >= attempt.deadlineAtMs && !isPlanted('callback.late_counts');
  const isOver = isAnswered || isLate;
  if (isOver || isTerminal(promotion.status)) {
    const why = isTerminal(promotion.status) ? `its promotion is ${promotion.status}` : voidWords(attempt.result?.code);
    throw new AppError('callback.void', { details: { operationId, message: why } });
  }
  const actor: Actor = { kind: 'system', name: `gate ${attempt.subject}` };
  const draft = makeDraft(snapshot, context, actor);
  settleAttempt(draft, attempt, {
    outcome: verdict,
    code: verdict === 'failed' ? 'gate.failed' : '',
    message,
    output: '',
    digest: null,
    sealed: null,
    endedAtMs: context.nowMs,
  });
  return concludeCommand(draft);
}

/** A verdict counts for the run and the digests that it names, and for no other. Errors: `callback.foreign`. */
export function refuseForeign(
  { operationId, gateRunId, components }: Omit<CallbackVerdict, 'verdict' | 'message'>,
  asked: { readonly gateRunId: GateRunId | null; readonly components: CallbackVerdict['components'] },
): void {
  if (gateRunId !== asked.gateRunId) {
    throw new AppError('callback.foreign', {
      details: { operationId, message: 'gateRunId is not that of the question' },
    });
  }
  if (digestsOf(components) !== digestsOf(asked.components)) {
    const message = 'release.components are not those of the question';
    throw new AppError('callback.foreign', { details: { operationId, message } });
  }
}

function digestsOf(components: CallbackVerdict['components']): string {
  const pairs = components.map(({ name, digest }) => `${name} ${digest}`);
  return canonicalJson(pairs.sort());
}

function voidWords(code: string | undefined): string {
  if (code === 'gate.skipped') return 'the gate was skipped meanwhile';
  if (code === undefined) return 'its deadline has come';
  return code === '' || code === 'gate.failed' ? 'it has its verdict' : `it ended as ${code}`;
}
