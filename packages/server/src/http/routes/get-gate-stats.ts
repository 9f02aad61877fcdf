/** `GET /gates/{gate}/stats`: one row per environment that has the gate. */
import { parseDuration } from '@stella/domain';
import { emptyStats, presentGateStats } from '../present/present-gate-stats.ts';
import { unknownGate } from '../probe-order.ts';
import type { RouteHandler } from '../route-handler.ts';
import { listVisibleGates } from '../visible-gates.ts';

export const getGateStats: RouteHandler<'getGateStats'> = async (deps, { caller, parameters, query }) => {
  const { environment = null, last } = query;
  const lastMs = parseDuration(last);
  const known = await listVisibleGates(deps, caller, environment);
  const own = known.filter(({ gate }) => gate.name === parameters.gate);
  if (own.length === 0) {
    throw unknownGate(
      parameters.gate,
      known.map(({ gate }) => gate.name),
    );
  }
  const stats = await deps.reads.readGateStats({ gate: parameters.gate, environment, lastMs });
  return {
    items: own.map(({ environment: name, gate }) =>
      presentGateStats(stats.find((one) => one.environment === name) ?? emptyStats(gate.name, name), {
        last,
        slaMs: gate.slaMs ?? null,
      }),
    ),
  };
};
