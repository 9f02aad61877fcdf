/** `environment freeze` and `unfreeze`: one transaction, effective at once for everything that has not begun to deploy. */
import {
  AppError,
  authorize,
  type EnvironmentFreeze,
  type EnvironmentStatus,
  freezeEnvironment,
  type Principal,
  unfreezeEnvironment,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';

export interface FreezeOrder {
  readonly environment: string;
  /** `unfreeze`: ends the freeze that an operator has set; what a definition plans stays. */
  readonly wish: { readonly kind: 'freeze'; readonly untilMs: number | null } | { readonly kind: 'unfreeze' };
  readonly reason: string;
  /** The freeze's version that the caller has seen; null: whatever it is now. */
  readonly seenVersion: number | null;
}

/**
 * The environment as it is afterwards. It waits for the row that the right to deploy is asked under (safety S8): whoever has
 * written his deploy intents before goes on, nobody else does. Errors: `auth.forbidden`, `environment.not_found`,
 * `etag.mismatch`, `input.invalid`, `freeze.none`.
 */
export async function changeFreeze(
  tx: CommandTransaction,
  principal: Principal,
  { environment, wish, reason, seenVersion }: FreezeOrder,
): Promise<EnvironmentStatus & { readonly freeze: EnvironmentFreeze }> {
  authorize(principal, 'environment.freeze', { environment, name: `environment ${environment}` });
  const locked = await tx.lockEnvironment(environment);
  if (!locked) throw new AppError('environment.not_found', { details: { name: environment } });
  const { status } = locked;
  if (seenVersion !== null && seenVersion !== (status.freeze?.version ?? 0)) throw new AppError('etag.mismatch');
  const context = { actor: principal.actor, nowMs: tx.nowMs };
  const { freeze, event } =
    wish.kind === 'freeze'
      ? freezeEnvironment(status, { reason, untilMs: wish.untilMs }, context)
      : unfreezeEnvironment(status, reason, context);
  await tx.writeFreeze(environment, freeze);
  await tx.writeEvents([event]);
  return { ...status, freeze };
}
