/** One promotion as the families of causes look at it, and the makers of what they answer. */
import type { Role } from '../identity/authorize.ts';
import type { PromotionSnapshot } from '../promotion/snapshot.ts';
import { isTerminal } from '../promotion/status.ts';
import { canRetryNow } from '../promotion/commands/command.ts';
import type { InstantMs } from '../values/instant.ts';
import { type CauseCode, CAUSES } from './causes.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Confidence, Fact, FactSource, Harm, Remedy } from './diagnosis.ts';
import type { DiagnosisSnapshot, LinkedPromotion } from './diagnosis-snapshot.ts';
import { isStalledAt } from './time-budget.ts';

/** Longer texts come from outside; their beginning says what they say. */
const VALUE_LENGTH_MAX = 300;

export interface CaseView {
  readonly whole: DiagnosisSnapshot;
  readonly link: LinkedPromotion;
  readonly snapshot: PromotionSnapshot;
  readonly nowMs: InstantMs;
  readonly isEnded: boolean;
  readonly isStalled: boolean;
  /** For how long it has been due without that anybody looked; 0 when it is not due. */
  readonly lateMs: number;
}

/** A family of causes: what it finds, best evidence first. */
export type FindCauses = (view: CaseView) => readonly Cause[];

export function makeCaseView(whole: DiagnosisSnapshot, link: LinkedPromotion): CaseView {
  const { snapshot } = link;
  const { promotion } = snapshot;
  const { nowMs } = whole;
  const isEnded = isTerminal(promotion.status);
  return {
    whole,
    link,
    snapshot,
    nowMs,
    isEnded,
    isStalled: isStalledAt(snapshot, nowMs),
    lateMs: isEnded ? 0 : Math.max(0, nowMs - (promotion.nextActionAtMs ?? nowMs)),
  };
}

export interface CauseDraft {
  readonly confidence: Confidence;
  readonly facts: readonly Fact[];
  readonly remedies: readonly Remedy[];
}

export function makeCause({ snapshot }: Pick<CaseView, 'snapshot'>, code: CauseCode, draft: CauseDraft): Cause {
  const { confidence, facts, remedies } = draft;
  return { code, title: CAUSES[code].title, confidence, promotionId: snapshot.promotion.id, facts, remedies };
}

export function makeFact(source: FactSource, what: string, value: string, atMs: InstantMs): Fact {
  const isLong = value.length > VALUE_LENGTH_MAX;
  return { what, value: isLong ? `${value.slice(0, VALUE_LENGTH_MAX)}…` : value, atMs, source };
}

export interface CommandDraft {
  readonly text: string;
  readonly command: string | null;
  readonly effect: string;
  /** Default: none. */
  readonly harm?: Harm;
  readonly needs: Role | null;
  readonly needsApproval?: boolean;
}

export function commandRemedy(draft: CommandDraft): Remedy {
  return { harm: 'none', needsApproval: false, ...draft, kind: 'command', untilMs: null };
}

/** Something outside is to be mended; the command resumes the promotion, or verifies. */
export function externalRemedy(draft: CommandDraft): Remedy {
  return { harm: 'none', needsApproval: false, ...draft, kind: 'external', untilMs: null };
}

export interface WaitDraft extends Partial<Omit<CommandDraft, 'text' | 'effect'>> {
  readonly text: string;
  readonly effect: string;
  readonly untilMs: InstantMs | null;
}

export function waitRemedy(draft: WaitDraft): Remedy {
  return { command: null, harm: 'none', needs: null, needsApproval: false, ...draft, kind: 'wait' };
}

/** What makes the promotion go on after something was mended, as it stands now: only commands that would be accepted. */
export function resumption(view: CaseView): Pick<CommandDraft, 'command' | 'effect' | 'needs'> {
  const { promotion } = view.snapshot;
  const retry = commandLine('promotion', 'retry', promotion.id);
  if (view.isEnded) return { command: retry, effect: 'starts a new promotion of the same release', needs: 'releaser' };
  if (canRetryNow(view.snapshot)) return { command: retry, effect: 'a new attempt at once', needs: 'releaser' };
  return { command: null, effect: 'it is tried again by itself', needs: null };
}

/**
 * Where its own definition is at fault: a promotion keeps the one that it began with, so after the correction another one
 * takes its place.
 */
export function renewal(view: CaseView): Pick<CommandDraft, 'command' | 'effect' | 'needs' | 'harm'> {
  const { id } = view.snapshot.promotion;
  if (view.isEnded) return { ...resumption(view), harm: 'none' };
  return {
    command: commandLine('promotion', 'retry', id, '--anew'),
    effect: 'cancels it and starts a new promotion of the same release, by the definition that is in force then',
    harm: 'low',
    needs: 'releaser',
  };
}

/** `12 s` is told as `12s`; whole seconds, because nobody acts on less. */
export function wholeSeconds(durationMs: number): number {
  return durationMs < 1_000 ? Math.round(durationMs) : Math.round(durationMs / 1_000) * 1_000;
}
