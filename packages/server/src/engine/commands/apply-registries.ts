/** `apply` of registries: what is declared there every environment pulls from, so an admin of all of them must. */
import {
  AppError,
  authorize,
  type Json,
  type Principal,
  REGISTRY_COUNT_MAX,
  type RegistryDefinition,
  registryHash,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import type { RegistryRecord } from '../../ports/registry-credentials.ts';
import { differencesBetween } from './apply-definitions.ts';

export interface AppliedRegistry {
  readonly registry: string;
  readonly change: 'created' | 'changed' | 'unchanged' | 'removed';
  /** Null when it was removed. */
  readonly version: number | null;
  readonly differences: readonly string[];
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
  for (const { host } of registries) authorizeRegistry(principal, host);
  if (registries.length === 0 && !isPruning) return [];
  const known = await tx.lockRegistries();
  const wanted = new Set(registries.map(({ host }) => host));
  const others = known.map(({ definition }) => definition.host).filter((host) => !wanted.has(host));
  const gone = isPruning ? others : [];
  const count = wanted.size + others.length - gone.length;
  if (count > REGISTRY_COUNT_MAX) {
    throw new AppError('apply.registries', { details: { count, max: REGISTRY_COUNT_MAX } });
  }
  const changes: AppliedRegistry[] = [];
  for (const registry of registries) changes.push(await applyOne(tx, principal, { registry, known }));
  for (const host of gone) {
    authorizeRegistry(principal, host);
    await refuseInUse(tx, host);
    await tx.removeRegistry(host);
    await note(tx, principal, { type: 'registry.removed', subject: host, data: {} });
    changes.push({ registry: host, change: 'removed', version: null, differences: [] });
  }
  return changes;
}

interface OneRegistry {
  readonly registry: RegistryDefinition;
  readonly known: readonly RegistryRecord[];
}

async function applyOne(
  tx: CommandTransaction,
  principal: Principal,
  { registry, known }: OneRegistry,
): Promise<AppliedRegistry> {
  const { host } = registry;
  const hash = registryHash(registry);
  const before = known.find(({ definition }) => definition.host === host);
  if (before?.hash === hash) return { registry: host, change: 'unchanged', version: before.version, differences: [] };
  const { version } = await tx.writeRegistry(registry);
  await note(tx, principal, { type: 'registry.applied', subject: host, data: { version, hash } });
  const differences = before ? differencesBetween(before.definition, registry) : [];
  return { registry: host, change: before ? 'changed' : 'created', version, differences };
}

async function refuseInUse(tx: CommandTransaction, host: string): Promise<void> {
  const [promotionId] = await tx.livePromotionsFrom(host);
  if (promotionId === undefined) return;
  throw new AppError('apply.in_use', { details: { what: `registry ${host}`, promotionId } });
}

function authorizeRegistry(principal: Principal, host: string): void {
  authorize(principal, 'registry.apply', { environment: '*', name: `registry ${host}` });
}

interface Note {
  readonly type: 'registry.applied' | 'registry.removed';
  readonly subject: string;
  readonly data: Json;
}

async function note(tx: CommandTransaction, { actor }: Principal, about: Note): Promise<void> {
  await tx.writeEvents([{ ...about, actor, atMs: tx.nowMs, promotionId: null }]);
}
