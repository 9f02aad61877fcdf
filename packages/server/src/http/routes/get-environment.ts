/** `GET /environments/{environment}` */
import { authorize, canonicalJson, digestOf, type Json } from '@stella/domain';
import type { EnvironmentRow } from '../../ports/read-store.ts';
import { presentEnvironment } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

/** Of the hash of what the environment runs; enough to tell two of its states apart. */
const ETAG_CHARACTERS = 16;

export const getEnvironment: RouteHandler<'getEnvironment'> = async (
  { reads, configuration, clock },
  { caller, parameters: { environment }, setEtag },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  const row = await reads.readEnvironment(environment);
  const shown = presentEnvironment(row, clock.nowMs());
  const frozen = `${row.status.freeze?.version ?? 0}${shown.freeze ? '-frozen' : ''}`;
  // Plain data, which JSON can say.
  const seen = digestOf(canonicalJson(row.status as unknown as Json));
  const what = seen.slice('sha256:'.length, 'sha256:'.length + ETAG_CHARACTERS);
  setEtag(`"v${row.version}-${what}-${debtsTag(row)}-${frozen}"`);
  return { ...shown, yaml: configuration.formatEnvironment(row.definition) };
};

/** Changes with each answer of a gate that is owed. */
function debtsTag({ debts }: EnvironmentRow): number {
  return debts.reduce((count, debt) => count + 1 + debt.askCount, 0);
}
