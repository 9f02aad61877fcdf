/** `GET /doctor`: looks, and changes nothing. */
import { parseDuration } from '@stella/domain';
import { runChecks } from '../../doctor/run-checks.ts';
import type { RouteHandler } from '../route-handler.ts';

export const runDoctor: RouteHandler<'runDoctor'> = async ({ doctor }, { query }) => {
  const { check = null, category = null, timeout } = query;
  return { items: await runChecks(doctor, { id: check, category, timeoutMs: parseDuration(timeout) }) };
};
