/** `POST /environments/{environment}/freeze` */
import { AppError, parseDuration } from '@stella/domain';
import { changeFreeze } from '../../engine/commands/freeze-environment.ts';
import { presentFreeze } from '../present/present-freeze.ts';
import type { RouteHandler } from '../route-handler.ts';

export const freezeEnvironment: RouteHandler<'freezeEnvironment'> = async (deps, context) => {
  const { caller, parameters, body, seenVersion, write } = context;
  const { environment } = parameters;
  if (body.until !== undefined && body.for !== undefined) {
    throw new AppError('input.invalid', { details: { message: 'a freeze ends by "until" or by "for", not by both' } });
  }
  const answer = await write(async (tx) => {
    const untilMs = endOf(body, tx.nowMs);
    const order = { environment, wish: { kind: 'freeze', untilMs }, reason: body.reason, seenVersion } as const;
    const status = await changeFreeze(tx, caller, order);
    return { environment, version: status.freeze.version, freeze: presentFreeze(status, tx.nowMs) };
  });
  deps.wake();
  return { ...answer, dryRun: body.dryRun };
};

function endOf(
  { until, for: duration }: { until?: string | undefined; for?: string | undefined },
  nowMs: number,
): number | null {
  if (duration !== undefined) return nowMs + parseDuration(duration);
  return until === undefined ? null : Date.parse(until);
}
