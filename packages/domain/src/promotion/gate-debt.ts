/**
 * A debt: a promotion completed with a gate skipped, so the gate is still to pass for the release that runs. The
 * promotion has ended and never changes; the debt is a row of its own, asked again until it is paid or until the
 * environment gets another completed release.
 */
import { hasAttempts } from '../environment/environment-definition.ts';
import { AppError } from '../errors/app-error.ts';
import type { GateKind } from '../environment/environment-definition.ts';
import { gateNamed } from '../environment/freeze.ts';
import { lookAtWindow } from '../environment/window.ts';
import type { EventDraft } from '../audit/event.ts';
import type { Actor } from '../identity/actor.ts';
import { withGateSettings } from '../settings/gate-settings.ts';
import type { Digest } from '../values/digest.ts';
import type { DebtId, GateRunId, PromotionId, ReleaseId, SkipId } from '../values/ids.ts';
import type { InstantMs } from '../values/instant.ts';
import { toStorableText } from '../values/storable-text.ts';
import { countApprovals } from './decide/approvals.ts';
import { lookAtDependencies } from './decide/dependencies.ts';
import { lookAtSoak } from './decide/soak.ts';
import type { PromotionSnapshot } from './snapshot.ts';

export const DEBT_STATES = ['open', 'paid', 'superseded'] as const;
export type DebtState = (typeof DEBT_STATES)[number];

/** `waiting`: a soak that is not over, or persons who have not approved yet. */
export const DEBT_OUTCOMES = ['passed', 'failed', 'timeout', 'error', 'waiting'] as const;
export type DebtOutcome = (typeof DEBT_OUTCOMES)[number];

export interface GateDebt {
  readonly id: DebtId;
  readonly promotionId: PromotionId;
  readonly environment: string;
  readonly releaseId: ReleaseId;
  readonly gate: string;
  readonly kind: GateKind;
  /** The run that was skipped, and by which skip. */
  readonly gateRunId: GateRunId;
  readonly skipId: SkipId;
  /** The definition that the promotion was made with: the gate is asked as it was declared then. */
  readonly definitionHash: Digest;
  readonly state: DebtState;
  readonly openedAtMs: InstantMs;
  readonly closedAtMs: InstantMs | null;
  /** When it is asked next; null when it is closed. */
  readonly dueAtMs: InstantMs | null;
  /** Times that it was claimed to be asked; the last one's answer is the one that counts. */
  readonly askCount: number;
  readonly lastAskedAtMs: InstantMs | null;
  readonly lastOutcome: DebtOutcome | null;
  /** What was answered last, or what closed it. */
  readonly message: string;
}

export interface DebtAnswer {
  readonly outcome: DebtOutcome;
  readonly message: string;
}

/**
 * What is known of an owed gate without asking anybody outside: of a soak, a window, a dependency and of approvals all, of the others nothing
 * (null). `snapshot` is the promotion's, read now: a soak looks at its predecessors, approvals at the rights held now.
 */
export function lookAtDebt(debt: GateDebt, snapshot: PromotionSnapshot, nowMs: InstantMs): DebtAnswer | null {
  const gate = gateNamed(snapshot.promotion.definition, debt.gate);
  if (gate?.kind === 'window') {
    const { isOpen, message } = lookAtWindow(gate, snapshot.environment, nowMs);
    return { outcome: isOpen ? 'passed' : 'waiting', message };
  }
  if (gate?.kind === 'dependency') {
    const { isMet, message } = lookAtDependencies(gate, snapshot);
    return { outcome: isMet ? 'passed' : 'waiting', message };
  }
  if (gate?.kind === 'soak') {
    const { isOver, message } = lookAtSoak(gate, snapshot, nowMs);
    return { outcome: isOver ? 'passed' : 'waiting', message };
  }
  if (gate?.kind !== 'approval') return null;
  const count = countApprovals(snapshot, gate, debt.gateRunId);
  return { outcome: count >= gate.count ? 'passed' : 'waiting', message: `${count} of ${gate.count} approved` };
}

/** A claimed debt is due again so long after the gate's own time-out: an asking that ends in time is over by then. */
const CLAIM_SLACK_MS = 30_000;

/**
 * The debt as a collector has claimed it at `nowMs`: asked once more, and due again when that asking must be over.
 * Should the collector die, the next claim asks again.
 */
export function claimDebt(debt: GateDebt, { promotion, settings }: PromotionSnapshot, nowMs: InstantMs): GateDebt {
  const declared = promotion.definition.gates.find((one) => one.name === debt.gate);
  const gate = declared && withGateSettings(declared, debt.environment, settings);
  const askingMs = gate && hasAttempts(gate) ? gate.timeoutMs : 0;
  return { ...debt, askCount: debt.askCount + 1, dueAtMs: nowMs + askingMs + CLAIM_SLACK_MS };
}

/** A debt that nobody can ask for now, as it is claimed at `nowMs`: the next try is as late as after an answer. */
export function postponeDebt(debt: GateDebt, nowMs: InstantMs, intervalMs: number): GateDebt {
  return { ...debt, askCount: debt.askCount + 1, dueAtMs: nowMs + intervalMs };
}

export interface DebtContext {
  readonly nowMs: InstantMs;
  readonly actor: Actor;
  /** Setting `debts.interval`. */
  readonly intervalMs: number;
  /** When the debt was due again by the claim that is answered. */
  readonly claimedUntilMs: InstantMs | null;
}

/**
 * What becomes of an open debt by an answer of its gate. Only `passed` pays it. An event is written when it is paid and
 * when the outcome is another one than before, so that a gate which says no for months does not fill the audit log. What was
 * hastened since the claim, by an approval that the answer cannot know, stays due.
 */
export function answerDebt(
  debt: GateDebt,
  answer: DebtAnswer,
  { nowMs, actor, intervalMs, claimedUntilMs }: DebtContext,
): { readonly debt: GateDebt; readonly events: readonly EventDraft[] } {
  if (debt.state !== 'open')
    throw new AppError('internal', { details: { message: `debt ${debt.id} is ${debt.state}` } });
  const { outcome } = answer;
  const message = toStorableText(answer.message);
  const isPaid = outcome === 'passed';
  const isHastened = debt.dueAtMs !== null && claimedUntilMs !== null && debt.dueAtMs < claimedUntilMs;
  const againAtMs = isHastened ? debt.dueAtMs : nowMs + intervalMs;
  const next: GateDebt = {
    ...debt,
    state: isPaid ? 'paid' : 'open',
    closedAtMs: isPaid ? nowMs : null,
    dueAtMs: isPaid ? null : againAtMs,
    lastAskedAtMs: nowMs,
    lastOutcome: outcome,
    message,
  };
  if (!isPaid && outcome === debt.lastOutcome) return { debt: next, events: [] };
  const data = { promotion: debt.promotionId, environment: debt.environment, gate: debt.gate, outcome, message };
  const type = isPaid ? 'debt.paid' : 'debt.asked';
  return { debt: next, events: [{ type, actor, atMs: nowMs, promotionId: null, subject: debt.id, data }] };
}
