/** `GET /doctor`: looks, and changes nothing. */
import { isAllowed, parseDuration } from '@stella/domain';
import { runChecks } from '../../doctor/run-checks.ts';
import type { RouteHandler } from '../route-handler.ts';

export const runDoctor: RouteHandler<'runDoctor'> = async ({ doctor }, { caller, query }) => {
  const { check = null, category = null, timeout } = query;
  const mayProbe = (environment: string): boolean => isAllowed(caller.bindings, 'connectivity.probe', environment);
  return { items: await runChecks(doctor, { id: check, category, timeoutMs: parseDuration(timeout), mayProbe }) };
};
