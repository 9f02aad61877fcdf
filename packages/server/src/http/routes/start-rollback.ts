/** `POST /rollbacks` */
import { authorize, baseIdOf, formerReleaseOf } from '@stella/domain';
import { createPromotion } from '../../engine/commands/create-promotion.ts';
import { presentPromotion } from '../present/present-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

/** Deployments that are looked at for the one before: whoever went back further names the release. */
const HISTORY_COUNT = 200;

export const startRollback: RouteHandler<'startRollback'> = async (deps, { caller, body, write, findRepeated }) => {
  const { environment, reason } = body;
  authorize(caller, 'promotion.rollback', { environment, name: `a rollback of ${environment}` });
  // Once it has completed, what was before is something else (safety S12).
  const kept = await findRepeated();
  if (kept) return kept;
  const { status } = await deps.reads.readEnvironment(environment);
  const wanted = body.release ?? (await formerRelease(deps, status));
  const release = await deps.reads.findRelease(wanted);
  // What it takes away is what was looked at: what came since then stays.
  const seenBaseId = baseIdOf(status, release);
  const answer = await write(async (tx) => {
    const way = { kind: 'rollback', priority: 'high', retryOf: null, reason, seenBaseId } as const;
    const id = await createPromotion(tx, deps, caller, { release, environment, ...way });
    return presentPromotion(await tx.readPromotion(id), tx.nowMs);
  });
  deps.wake();
  return answer;
};

async function formerRelease(
  { reads }: Pick<Parameters<typeof startRollback>[0], 'reads'>,
  status: Parameters<typeof formerReleaseOf>[0],
): Promise<string> {
  const history = await reads.listDeployments(status.name, { statuses: ['completed'], limit: HISTORY_COUNT });
  return formerReleaseOf(status, history);
}
