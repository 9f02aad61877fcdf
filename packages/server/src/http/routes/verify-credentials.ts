/** `POST /environments/{environment}/credentials/verify`: goes where deploys and attempts go, with what they would show. */
import { findLookables } from '../probe-order.ts';
import { presentCredential } from '../present/present-probe.ts';
import type { RouteHandler } from '../route-handler.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';

export const verifyCredentials: RouteHandler<'verifyCredentials'> = async (deps, { caller, parameters, signal }) => {
  const lookables = await findLookables(deps, caller, { environment: parameters.environment, gate: null });
  const settings = await readSettingsNow(deps);
  const reports = await deps.prober.probe(lookables, { stageTimeoutMs: settings['probe.timeout'], signal });
  return { items: reports.map((report, index) => presentCredential(report, lookables[index]?.reference ?? null)) };
};
