/** `GET /probes`: what was seen last, of environments that the caller may see. */
import { isAllowed } from '@stella/domain';
import { presentProbe } from '../present/present-probe.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listProbes: RouteHandler<'listProbes'> = async ({ reads, probes }, { caller, query }) => {
  const { environment = null } = query;
  if (environment !== null) await reads.readEnvironment(environment);
  const reports = await probes.listProbes(environment);
  const visible = reports.filter(({ subject }) => isAllowed(caller.bindings, 'environment.read', subject.environment));
  return { items: visible.map(presentProbe) };
};
