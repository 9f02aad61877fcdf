/** `POST /probes`: looks now. What was seen is kept for whoever asks why; nothing else changes. */
import { findLookables } from '../probe-order.ts';
import { presentProbe } from '../present/present-probe.ts';
import type { RouteHandler } from '../route-handler.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';

export const probeConnectivity: RouteHandler<'probeConnectivity'> = async (deps, { caller, body, signal }) => {
  const { environment = null, gate = null } = body;
  const lookables = await findLookables(deps, caller, { environment, gate });
  const settings = await readSettingsNow(deps);
  const reports = await deps.prober.probe(lookables, { stageTimeoutMs: settings['probe.timeout'], signal });
  return { items: reports.map(presentProbe) };
};
