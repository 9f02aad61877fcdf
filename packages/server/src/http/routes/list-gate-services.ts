/** `GET /gate-services`: of every gate that asks a service or runs a program, what was seen, measured and promised. */
import { parseDuration } from '@stella/domain';
import type { GateStats } from '../../ports/read-store.ts';
import { emptyStats, presentGateStats } from '../present/present-gate-stats.ts';
import { presentProbe } from '../present/present-probe.ts';
import type { RouteHandler } from '../route-handler.ts';
import { listVisibleGates } from '../visible-gates.ts';

export const listGateServices: RouteHandler<'listGateServices'> = async (deps, { caller, query }) => {
  const { environment = null, last } = query;
  const lastMs = parseDuration(last);
  const gates = await listVisibleGates(deps, caller, environment);
  const probes = await deps.probes.listProbes(environment);
  const stats: GateStats[] = [];
  // One after another: the pool is for promotions.
  for (const gate of new Set(gates.map((one) => one.gate.name))) {
    stats.push(...(await deps.reads.readGateStats({ gate, environment, lastMs })));
  }
  return {
    items: gates.map(({ environment: name, gate }) => {
      const own = stats.find((one) => one.gate === gate.name && one.environment === name);
      const probe = probes.find(
        ({ subject }) => subject.kind === 'gate' && subject.name === gate.name && subject.environment === name,
      );
      return {
        environment: name,
        gate: gate.name,
        service: gate.kind === 'http' ? new URL(gate.url).origin : gate.program,
        stats: presentGateStats(own ?? emptyStats(gate.name, name), { last, slaMs: gate.slaMs ?? null }),
        probe: probe ? presentProbe(probe) : null,
      };
    }),
  };
};
