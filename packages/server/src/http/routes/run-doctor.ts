/** `GET /doctor`: looks, and changes nothing. */
import { parseDuration } from '@stella/domain';
import { runChecks } from '../../doctor/run-checks.ts';
import type { RouteHandler } from '../route-handler.ts';

export const runDoctor: RouteHandler<'runDoctor'> = async ({ audit, clock }, { query }) => {
  const order = { id: query.check ?? null, timeoutMs: parseDuration(query.timeout) };
  const results = await runChecks({ audit, clock }, order);
  return { items: results };
};
