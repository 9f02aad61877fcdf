/** Gates that are asked, in environments that the caller may see. */
import { type AttemptGateDefinition, hasAttempts, isAllowed, type Principal } from '@stella/domain';
import type { HttpDeps } from './route-handler.ts';

export interface VisibleGate {
  readonly environment: string;
  readonly gate: AttemptGateDefinition;
}

/** Ordered by environment, then as declared. Errors: `environment.not_found`. */
export async function listVisibleGates(
  { reads }: Pick<HttpDeps, 'reads'>,
  { bindings }: Principal,
  environment: string | null,
): Promise<readonly VisibleGate[]> {
  const rows = environment === null ? await reads.listEnvironments() : [await reads.readEnvironment(environment)];
  return rows
    .filter(({ definition }) => isAllowed(bindings, 'environment.read', definition.name))
    .flatMap(({ definition }) =>
      definition.gates.flatMap((gate) => (hasAttempts(gate) ? [{ environment: definition.name, gate }] : [])),
    );
}
