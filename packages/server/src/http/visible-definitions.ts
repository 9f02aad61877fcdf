/** Definitions of the environments that a caller may read. */
import { type EnvironmentDefinition, isAllowed, type Principal } from '@stella/domain';
import type { ReadStore } from '../ports/read-store.ts';

export async function visibleDefinitions(
  reads: Pick<ReadStore, 'listEnvironments'>,
  { bindings }: Principal,
): Promise<readonly EnvironmentDefinition[]> {
  const all = (await reads.listEnvironments()).map(({ definition }) => definition);
  return all.filter(({ name }) => isAllowed(bindings, 'environment.read', name));
}
