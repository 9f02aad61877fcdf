/** Audit events: one per state change, in its transaction (safety S6), chained by hashes (safety S13). */
import { isPlanted } from '../planted-bugs.ts';
import type { Actor } from '../identity/actor.ts';
import { canonicalJson, type Json } from '../values/canonical-json.ts';
import { type Digest, digestOf } from '../values/digest.ts';
import type { PromotionId } from '../values/ids.ts';
import { type InstantMs, toRfc3339 } from '../values/instant.ts';

export const EVENT_TYPES = [
  'promotion.created',
  'promotion.status_changed',
  'promotion.step_changed',
  'promotion.cancel_requested',
  'promotion.retry_requested',
  'promotion.priority_changed',
  'promotion.approved',
  'promotion.rejected_by_person',
  'promotion.taken_over',
  'promotion.set_aside',
  'promotion.base_changed',
  'attempt.ended',
  'deploy.batch_started',
  'deploy.batch_verified',
  'deploy.canary_judged',
  'gate.opened',
  'gate.held',
  'gate.verdict',
  'gate.expired',
  'gate.skipped',
  'skip.requested',
  'skip.approved',
  'skip.rejected',
  'skip.lapsed',
  'skip.used',
  'debt.opened',
  'debt.approved',
  'debt.asked',
  'debt.paid',
  'debt.superseded',
  'lock.acquired',
  'lock.released',
  'environment.applied',
  'environment.removed',
  'environment.released',
  'environment.state_changed',
  'environment.stopped',
  'environment.frozen',
  'environment.unfrozen',
  'drift.began',
  'drift.ended',
  'quota.increase_requested',
  'fence.raised',
  'release.created',
  'setting.changed',
  'notification.applied',
  'notification.removed',
  'notification.retried',
  'registry.applied',
  'registry.removed',
  'person.created',
  'person.logged_in',
  'token.minted',
  'token.revoked',
  'token.recovered',
  'retention.pruned',
  'invariant.violated',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What happened, before it is chained. `data` holds no secret. */
export interface EventDraft {
  readonly type: EventType;
  readonly actor: Actor;
  readonly atMs: InstantMs;
  /** Null for events that belong to no promotion. */
  readonly promotionId: PromotionId | null;
  /** The environment, release, person or token it is about. */
  readonly subject: string;
  readonly data: Json;
}

/** An event in its promotion's own chain. */
export interface ChainedEvent extends EventDraft {
  /** 1, 2, 3 … within the promotion; null outside of one. */
  readonly promotionSeq: number | null;
  /** Over the previous hash and the event's canonical form. */
  readonly hash: Digest;
}

export interface ChainPosition {
  readonly head: Digest | null;
  readonly length: number;
}

/** The bytes that are hashed: fixed for ever, so that an auditor can recompute them. */
export function eventCanonicalForm(event: EventDraft, promotionSeq: number | null): string {
  return canonicalJson({
    actor: event.actor as unknown as Json,
    at: toRfc3339(event.atMs),
    data: event.data,
    promotion: event.promotionId,
    promotionSeq,
    subject: event.subject,
    type: event.type,
  });
}

/** `hash = sha256(previous hash, or the empty text, + "\n" + canonical form)`. */
export function chainHash(previous: Digest | null, content: string): Digest {
  return digestOf(`${previous ?? ''}\n${content}`);
}

/** Appends events to a promotion's own chain; events outside of a promotion stand alone. */
export function chainEvents(
  position: ChainPosition,
  drafts: readonly EventDraft[],
): { readonly events: readonly ChainedEvent[]; readonly position: ChainPosition } {
  let { head, length } = position;
  const events = drafts.map((draft) => {
    if (draft.promotionId === null) {
      return { ...draft, promotionSeq: null, hash: chainHash(null, eventCanonicalForm(draft, null)) };
    }
    length += 1;
    head = chainHash(isPlanted('chain.unlinked') ? null : head, eventCanonicalForm(draft, length));
    return { ...draft, promotionSeq: length, hash: head };
  });
  return { events, position: { head, length } };
}
