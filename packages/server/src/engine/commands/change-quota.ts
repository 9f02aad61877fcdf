/** `orch quota limits set` and `request-increase`: limits of one environment, and people who ask for more. */
import {
  AppError,
  authorize,
  type EnvironmentStatus,
  type Principal,
  quotaKey,
  quotaLimitsOf,
  type QuotaLimits,
  type QuotaName,
  type QuotaRequest,
  requestIncrease,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import { changeSetting } from './change-setting.ts';

export interface QuotaLimitOrder {
  readonly environment: string;
  /** Null: what the definition says counts again. */
  readonly limits: readonly { readonly name: QuotaName; readonly limit: number | null }[];
  readonly reason: string;
}

/**
 * Answers the limits before and after. Under the environment's row, so that whoever looks for a place at this moment sees the limit or is woken. Errors:
 * `auth.forbidden`, `environment.not_found`, `input.invalid` for a limit that limits nothing.
 */
export async function changeQuotaLimits(
  tx: CommandTransaction,
  principal: Principal,
  { environment, limits, reason }: QuotaLimitOrder,
): Promise<{ readonly before: QuotaLimits; readonly after: QuotaLimits }> {
  authorize(principal, 'setting.write', { environment, name: `the quotas of environment ${environment}` });
  const status = await lockedEnvironment(tx, environment);
  const settings: Record<string, number | undefined> = { ...tx.settings };
  for (const { name, limit } of limits) {
    if (name === 'inProgress' && limit !== null && status.concurrency === 'exclusive') {
      const message = `one promotion at a time changes ${environment}; inProgress limits those of concurrency: per_component`;
      throw new AppError('input.invalid', { details: { message } });
    }
    const key = quotaKey(environment, name);
    await changeSetting(tx, principal, { key, value: limit, reason, seenVersion: null });
    settings[key] = limit ?? undefined;
  }
  return { before: quotaLimitsOf(status, tx.settings), after: quotaLimitsOf(status, settings) };
}

export interface QuotaRequestOrder {
  readonly environment: string;
  readonly name: QuotaName;
  readonly wanted: number;
  readonly reason: string;
}

/** Errors: `auth.forbidden`, `environment.not_found`, `input.invalid`. */
export async function requestQuotaIncrease(
  tx: CommandTransaction,
  principal: Principal,
  { environment, ...wish }: QuotaRequestOrder,
): Promise<QuotaRequest> {
  authorize(principal, 'quota.request', { environment, name: `environment ${environment}` });
  const status = await lockedEnvironment(tx, environment);
  const limits = quotaLimitsOf(status, tx.settings);
  const { requests, event } = requestIncrease(status, wish, { actor: principal.actor, nowMs: tx.nowMs, limits });
  const request = requests.find((one) => one.name === wish.name);
  if (!request) throw new RangeError('a request that was made is kept');
  await tx.writeQuotaRequests(environment, requests);
  await tx.writeEvents([event]);
  return request;
}

async function lockedEnvironment(tx: CommandTransaction, name: string): Promise<EnvironmentStatus> {
  const locked = await tx.lockEnvironment(name);
  if (!locked) throw new AppError('environment.not_found', { details: { name } });
  return locked.status;
}
