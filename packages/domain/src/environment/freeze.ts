/**
 * Freezes: times in which nothing new is deployed to an environment. An operator freezes at once, for a while or until
 * somebody unfreezes; a definition plans freezes ahead. Both count live, also for promotions that were made before, which
 * keep all the rest of their definition: whoever freezes wants everything to stop now. How a window gate minds them is in
 * `window.ts`; an environment without such a gate gets one while it is frozen (`FREEZE_GATE`).
 */
import type { EventDraft } from '../audit/event.ts';
import { AppError } from '../errors/app-error.ts';
import { type Actor, formatActor } from '../identity/actor.ts';
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import { type InstantMs, toRfc3339 } from '../values/instant.ts';
import type { EnvironmentDefinition, GateDefinition, WindowGateDefinition } from './environment-definition.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A quarter, as long as the longest deadline of a gate. What shall last longer belongs into a definition. */
export const FREEZE_MS_MAX = 90 * DAY_MS;

/** The newest freeze that an operator has set; one that ended stays, so that its number goes on. */
export interface EnvironmentFreeze {
  /** 1, 2, 3 …, one per freeze and per end of one. */
  readonly version: number;
  readonly reason: string;
  /** Who froze: `person ana@example.org`. */
  readonly by: string;
  readonly atMs: InstantMs;
  /** Null: until somebody unfreezes. */
  readonly untilMs: InstantMs | null;
  /** When somebody unfroze; null while nobody has. */
  readonly endedAtMs: InstantMs | null;
}

/** A freeze of the definition. Local times of a zone, `2026-12-20T18:00`; the end is not part of it. */
export interface PlannedFreeze {
  readonly from: string;
  readonly to: string;
  readonly zone: string;
  readonly reason: string;
}

/** The gate of environments that declare no window: open but for freezes. Its name is kept for it. */
export const FREEZE_GATE: WindowGateDefinition = {
  name: 'freeze',
  kind: 'window',
  zone: 'UTC',
  allow: [],
  validForMs: DAY_MS,
  deadlineMs: 7 * DAY_MS,
};

/** By name: a declared gate, or the one that a freeze has added. */
export function gateNamed(definition: EnvironmentDefinition, name: string): GateDefinition | undefined {
  return definition.gates.find((gate) => gate.name === name) ?? (name === FREEZE_GATE.name ? FREEZE_GATE : undefined);
}

export function hasWindow({ gates }: Pick<EnvironmentDefinition, 'gates'>): boolean {
  return gates.some((gate) => gate.kind === 'window');
}

/** The operator's freeze, when it counts at that moment. */
export function currentFreeze(
  { freeze }: Pick<EnvironmentStatus, 'freeze'>,
  nowMs: InstantMs,
): EnvironmentFreeze | null {
  if (freeze === null || freeze.endedAtMs !== null) return null;
  return freeze.untilMs === null || nowMs < freeze.untilMs ? freeze : null;
}

export interface FreezeContext {
  readonly actor: Actor;
  readonly nowMs: InstantMs;
}

interface FreezeChange {
  readonly freeze: EnvironmentFreeze;
  readonly event: EventDraft;
}

/** Takes the place of a freeze that counts already. Errors: `input.invalid` without a reason or for a wrong end. */
export function freezeEnvironment(
  before: EnvironmentStatus,
  { reason, untilMs }: { readonly reason: string; readonly untilMs: InstantMs | null },
  { actor, nowMs }: FreezeContext,
): FreezeChange {
  if (reason.trim() === '') throw invalid('a freeze needs a reason');
  if (untilMs !== null && untilMs <= nowMs) throw invalid(`the freeze would end ${toRfc3339(untilMs)}, which is over`);
  if (untilMs !== null && untilMs > nowMs + FREEZE_MS_MAX) {
    throw invalid('a freeze lasts 90 days at most; a longer one is planned in the definition');
  }
  const version = (before.freeze?.version ?? 0) + 1;
  const freeze = { version, reason, by: formatActor(actor), atMs: nowMs, untilMs, endedAtMs: null };
  const until = untilMs === null ? null : toRfc3339(untilMs);
  return {
    freeze,
    event: {
      type: 'environment.frozen',
      actor,
      atMs: nowMs,
      promotionId: null,
      subject: before.name,
      data: { version, reason, until },
    },
  };
}

/** Errors: `freeze.none`, when no operator's freeze counts. */
export function unfreezeEnvironment(
  before: EnvironmentStatus,
  reason: string,
  { actor, nowMs }: FreezeContext,
): FreezeChange {
  const current = currentFreeze(before, nowMs);
  if (!current) throw new AppError('freeze.none', { details: { environment: before.name } });
  const version = current.version + 1;
  return {
    freeze: { ...current, version, endedAtMs: nowMs },
    event: {
      type: 'environment.unfrozen',
      actor,
      atMs: nowMs,
      promotionId: null,
      subject: before.name,
      data: { version, reason, frozen: current.reason },
    },
  };
}

function invalid(message: string): AppError {
  return new AppError('input.invalid', { details: { message } });
}
