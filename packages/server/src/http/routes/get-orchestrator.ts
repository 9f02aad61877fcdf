/** `GET /orchestrator`: workers, queue, audit chain. */
import { toRfc3339 } from '@stella/domain';
import { presentInstant } from '../present/values.ts';
import type { RouteHandler } from '../route-handler.ts';

export const getOrchestrator: RouteHandler<'getOrchestrator'> = async ({ reads, settings, about }) => {
  const [facts, workers] = await Promise.all([reads.readFacts(settings['stuck.after']), reads.listWorkers()]);
  return {
    version: about.version,
    now: toRfc3339(facts.databaseNowMs),
    database: { version: facts.databaseVersion, schemaVersion: facts.schemaVersion, isEmbedded: about.isEmbedded },
    installationEpoch: facts.installationEpoch,
    promotions: facts.promotionsByStatus,
    stalledCount: facts.stalledCount,
    setAsideCount: facts.setAsideCount,
    liveLockCount: facts.liveLockCount,
    openDebtCount: facts.openDebtCount,
    oldestDueAt: presentInstant(facts.oldestDueAtMs),
    chain: { lastSeq: facts.lastSeq, unsequencedCount: facts.unsequencedEventCount },
    workers: workers.map(({ id, hostname, version, state, claimCount, ...at }) => ({
      id,
      hostname,
      version,
      state,
      startedAt: toRfc3339(at.startedAtMs),
      heartbeatAt: toRfc3339(at.heartbeatAtMs),
      leaseUntil: toRfc3339(at.leaseUntilMs),
      claimCount,
    })),
  };
};
