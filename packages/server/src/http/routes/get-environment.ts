/** `GET /environments/{environment}` */
import { authorize } from '@stella/domain';
import type { EnvironmentRow } from '../../ports/read-store.ts';
import { presentEnvironment } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

export const getEnvironment: RouteHandler<'getEnvironment'> = async (
  { reads, configuration, clock },
  { caller, parameters: { environment }, setEtag },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  const row = await reads.readEnvironment(environment);
  const shown = presentEnvironment(row, clock.nowMs());
  const frozen = `${row.status.freeze?.version ?? 0}${shown.freeze ? '-frozen' : ''}`;
  setEtag(`"v${row.version}-${row.status.releaseId ?? 'empty'}-${row.status.state}-${debtsTag(row)}-${frozen}"`);
  return { ...shown, yaml: configuration.formatEnvironment(row.definition) };
};

/** Changes with each answer of a gate that is owed. */
function debtsTag({ debts }: EnvironmentRow): number {
  return debts.reduce((count, debt) => count + 1 + debt.askCount, 0);
}
