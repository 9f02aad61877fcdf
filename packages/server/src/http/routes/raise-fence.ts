/** `POST /environments/{environment}/fence/raise`: every target is asked, then the fence is raised, then all are sealed. */
import { authorize, formatFence, parseFence } from '@stella/domain';
import { askTargets, raiseEnvironmentFence } from '../../engine/commands/raise-fence.ts';
import { sealTargets } from '../../engine/commands/release-lock.ts';
import { wholeDeadlineMs } from '../../engine/commands/call-targets.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';
import type { RouteHandler } from '../route-handler.ts';

export const raiseFence: RouteHandler<'raiseFence'> = async (deps, { caller, parameters, body, write }) => {
  const { environment } = parameters;
  // Before its targets are asked: who may not raise it gives them no work.
  authorize(caller, 'fence.raise', { environment, name: `the fence of ${environment}` });
  const { definition } = await deps.reads.readEnvironment(environment);
  const { 'limits.targetsAtOnce': atOnce } = await readSettingsNow(deps);
  const called = { environment: definition.name, targets: definition.targets, atOnce };
  const seen = await askTargets(deps, called);
  const raised = await write(async (tx) => {
    const { fence, held, wasStopped } = await raiseEnvironmentFence(tx, caller, {
      environment,
      seen,
      reason: body.reason,
    });
    return { environment, fence: formatFence(fence), held: held ? formatFence(held) : null, wasStopped };
  });
  deps.wake();
  const fence = parseFence(raised.fence);
  // A repeat of the request seals again with the same fence, which changes nothing.
  const seals = body.dryRun || !fence ? [] : await sealTargets(deps, called, fence);
  return { ...raised, seals, sealedWithinMs: wholeDeadlineMs(called), dryRun: body.dryRun };
};
