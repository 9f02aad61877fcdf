/** `stella deploy`: makes the release of one artifact and the promotion that deploys it, in one transaction. */
import {
  AppError,
  baseIdOf,
  deployRelease,
  type IdSource,
  type Principal,
  type PromotionId,
  type ReleaseComponent,
  type ReleaseId,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import { authorizeWay, createPromotion } from './create-promotion.ts';
import { recordRelease } from './create-release.ts';

export interface DeployWish {
  readonly environment: string;
  readonly component: ReleaseComponent;
  readonly isForced: boolean;
  /** Demanded of a forced one. */
  readonly reason: string;
}

/**
 * What was there when it looked is what it is bound to. Errors: `auth.forbidden`, `environment.not_found`, `input.invalid`
 * for a forced one without a reason, and those of `createPromotion`.
 */
export async function deployArtifact(
  tx: CommandTransaction,
  deps: { ids: IdSource },
  principal: Principal,
  { environment, component, isForced, reason }: DeployWish,
): Promise<PromotionId> {
  const way = { kind: 'deploy', isForced } as const;
  authorizeWay(principal, environment, way);
  if (isForced && reason.trim() === '') {
    throw new AppError('input.invalid', { details: { message: 'a forced deploy wants a reason: --reason <text>' } });
  }
  // Only the place is read with it: which release it will be is not known before.
  const probe = { id: '' as ReleaseId, name: '', components: [component], createdAtMs: tx.nowMs, number: 0 };
  const entry = await tx.readEntry(environment, probe);
  if (!entry) throw new AppError('environment.not_found', { details: { name: environment } });
  const { base, status, record } = entry;
  const { name, components } = deployRelease(record.definition, component, { base, nowMs: tx.nowMs });
  const release = await recordRelease(tx, principal, { name, components });
  const seenBaseId = baseIdOf(status, release);
  return createPromotion(tx, deps, principal, {
    release,
    environment,
    priority: 'normal',
    retryOf: null,
    ...way,
    reason,
    seenBaseId,
  });
}
