/** `POST /locks/{lock}/release`: the lock goes in one transaction, then every target is sealed and reported. */
import { formatFence, parseFence } from '@stella/domain';
import { sealTargets, takeLock } from '../../engine/commands/release-lock.ts';
import { wholeDeadlineMs } from '../../engine/commands/call-targets.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';
import type { RouteHandler } from '../route-handler.ts';

export const releaseLock: RouteHandler<'releaseLock'> = async (deps, { caller, parameters, body, write }) => {
  const lockId = await deps.reads.findLockId(parameters.lock);
  // Before the lock goes: after it nothing may fail but the seals, each of which is told.
  const { 'limits.targetsAtOnce': atOnce } = await readSettingsNow(deps);
  const taken = await write(async (tx) => {
    const { promotionId, definition, targets, fence } = await takeLock(tx, deps, caller, {
      lockId,
      isForced: body.force,
      reason: body.reason,
    });
    return { lockId, promotionId, environment: definition.name, fence: formatFence(fence), targets };
  });
  deps.wake();
  const { targets, ...lock } = taken;
  // A repeat of the request seals again with the same fence, which changes nothing.
  const fence = parseFence(lock.fence);
  const called = { environment: lock.environment, targets, atOnce };
  const seals = body.dryRun || !fence ? [] : await sealTargets(deps, called, fence);
  return { ...lock, seals, sealedWithinMs: wholeDeadlineMs(called), dryRun: body.dryRun };
};
