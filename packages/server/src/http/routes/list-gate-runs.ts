/** `GET /promotions/{promotion}/gates`: with what bounds each, and how its service has answered of late. */
import { parseDuration, toRfc3339, isAttemptKind } from '@stella/domain';
import type { GateStats } from '../../ports/read-store.ts';
import { MEASURED_LAST, presentTimedGateRuns } from '../present/present-timed-gates.ts';
import { readVisiblePromotion } from '../read-visible-promotion.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listGateRuns: RouteHandler<'listGateRuns'> = async ({ reads }, { caller, parameters, query }) => {
  const { snapshot, nowMs } = await readVisiblePromotion(reads, caller, parameters.promotion);
  const { id, environment, definition } = snapshot.promotion;
  const stats: GateStats[] = [];
  for (const { kind, name } of definition.gates) {
    if (!isAttemptKind(kind)) continue;
    const wish = { gate: name, environment, lastMs: parseDuration(MEASURED_LAST) };
    stats.push(...(await reads.readGateStats(wish)));
  }
  const runs = presentTimedGateRuns(snapshot, stats);
  const { status } = query;
  return {
    promotionId: id,
    now: toRfc3339(nowMs),
    items: status === undefined ? runs : runs.filter((run) => run.state === status),
  };
};
