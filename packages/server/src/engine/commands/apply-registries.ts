/** `apply` of registries: what is declared there every environment pulls from, so an admin of all of them must. */
import {
  AppError,
  authorize,
  type Principal,
  REGISTRY_COUNT_MAX,
  type RegistryDefinition,
  registryHash,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import { applyList, type DefinedList, type ListChange } from './apply-list.ts';

export interface AppliedRegistry extends Omit<ListChange, 'name'> {
  readonly registry: string;
}

export interface RegistryOrder {
  readonly registries: readonly RegistryDefinition[];
  /** Removes registries that are not named. */
  readonly isPruning: boolean;
}

/** Errors: `auth.forbidden`, `apply.registries`, `apply.in_use` (a live promotion's artifacts are there). */
export async function applyRegistries(
  tx: CommandTransaction,
  principal: Principal,
  { registries, isPruning }: RegistryOrder,
): Promise<readonly AppliedRegistry[]> {
  const list: DefinedList<RegistryDefinition> = {
    nameOf: ({ host }) => host,
    hashOf: registryHash,
    authorize: ({ host }) => authorize(principal, 'registry.apply', { environment: '*', name: `registry ${host}` }),
    countMax: REGISTRY_COUNT_MAX,
    tooMany: (details) => new AppError('apply.registries', { details }),
    lock: () => tx.lockRegistries(),
    write: (definition) => tx.writeRegistry(definition),
    async remove(host) {
      await refuseInUse(tx, host);
      await tx.removeRegistry(host);
    },
    events: { applied: 'registry.applied', removed: 'registry.removed' },
  };
  const changes = await applyList(tx, principal, list, { wanted: registries, isPruning });
  return changes.map(({ name, ...change }) => ({ registry: name, ...change }));
}

async function refuseInUse(tx: CommandTransaction, host: string): Promise<void> {
  const [promotionId] = await tx.livePromotionsFrom(host);
  if (promotionId === undefined) return;
  throw new AppError('apply.in_use', { details: { what: `registry ${host}`, promotionId } });
}
