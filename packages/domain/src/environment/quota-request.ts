/** A person's wish that an environment's quota be raised, which somebody with the right answers by setting its limit. */
import type { EventDraft } from '../audit/event.ts';
import { AppError } from '../errors/app-error.ts';
import { type Actor, formatActor } from '../identity/actor.ts';
import type { EnvironmentStatus } from '../promotion/promotion.ts';
import type { InstantMs } from '../values/instant.ts';
import { QUOTA_MAX, type QuotaLimits, type QuotaName } from './quota.ts';

/** One that nobody has answered by then is no longer shown; its event stays. */
export const REQUEST_OPEN_MS_MAX = 7 * 24 * 60 * 60_000;

export interface QuotaRequest {
  readonly name: QuotaName;
  readonly wanted: number;
  readonly reason: string;
  /** `person ana@example.org`. */
  readonly by: string;
  readonly atMs: InstantMs;
}

interface RequestContext {
  readonly actor: Actor;
  readonly nowMs: InstantMs;
  readonly limits: QuotaLimits;
}

/**
 * Takes the place of an earlier one for the same quota. Errors: `input.invalid` without a reason, and for what would be no
 * increase.
 */
export function requestIncrease(
  before: EnvironmentStatus,
  { name, wanted, reason }: Pick<QuotaRequest, 'name' | 'wanted' | 'reason'>,
  { actor, nowMs, limits }: RequestContext,
): { readonly requests: readonly QuotaRequest[]; readonly event: EventDraft } {
  const limit = limits[name];
  if (reason.trim() === '') throw invalid('a request needs a reason');
  if (limit === null) throw invalid(`${before.name} has no limit ${name}, so that there is nothing to raise`);
  if (wanted <= limit) throw invalid(`the limit ${name} of ${before.name} is ${limit} already`);
  if (wanted > QUOTA_MAX) throw invalid(`a limit is at most ${QUOTA_MAX}`);
  const request = { name, wanted, reason, by: formatActor(actor), atMs: nowMs };
  return {
    requests: [...before.quotaRequests.filter((one) => one.name !== name), request],
    event: {
      type: 'quota.increase_requested',
      actor,
      atMs: nowMs,
      promotionId: null,
      subject: before.name,
      data: { quota: name, limit, wanted, reason },
    },
  };
}

/** Nobody has changed the limit since, and it is not forgotten yet. `changedAtMs`: when the setting last changed. */
export function isOpenRequest({ atMs }: QuotaRequest, changedAtMs: InstantMs | null, nowMs: InstantMs): boolean {
  return (changedAtMs === null || changedAtMs < atMs) && nowMs < atMs + REQUEST_OPEN_MS_MAX;
}

function invalid(message: string): AppError {
  return new AppError('input.invalid', { details: { message } });
}
