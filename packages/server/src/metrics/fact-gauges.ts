/** Gauges of what the database knows; set anew at each scrape. */
import { PROPERTIES, type PromotionId, quotaStandings } from '@stella/domain';
import type { Registry } from 'prom-client';
import type { ChannelHealth } from '../ports/notification-store.ts';
import type { DriftCounts, MonitoringFacts, OrchestratorFacts, QuotaRow } from '../ports/read-store.ts';
import { makeGauge } from './make-metric.ts';
import { METRICS, QUOTA_ENVIRONMENTS_MAX } from './metric-definitions.ts';

export interface MonitoredFacts {
  readonly orchestrator: OrchestratorFacts;
  readonly monitoring: MonitoringFacts;
  /** First causes, `gate.slow`; who has none is not known, or was not looked at in time. */
  readonly causes: ReadonlyMap<PromotionId, string>;
  readonly channels: readonly ChannelHealth[];
  /** Of every environment. */
  readonly quotas: readonly QuotaRow[];
  readonly drift: readonly DriftCounts[];
  /** The wall clock of this server at the moment of the database's answer. */
  readonly serverNowMs: number;
}

export function makeFactGauges(registry: Registry): { set(facts: MonitoredFacts | null): void } {
  const up = makeGauge(registry, METRICS.databaseUp);
  const setters = [
    promotionGauges,
    quotaGauges,
    targetGauges,
    workerGauges,
    databaseGauges,
    auditGauges,
    channelGauges,
  ].map((make) => make(registry));
  return {
    set(facts) {
      up.set(facts ? 1 : 0);
      for (const set of setters) set(facts);
    },
  };
}

type Setter = (facts: MonitoredFacts | null) => void;

function promotionGauges(registry: Registry): Setter {
  const promotions = makeGauge(registry, METRICS.promotions);
  const inProgress = makeGauge(registry, METRICS.inProgress);
  const stalled = makeGauge(registry, METRICS.stalled);
  const stalledFor = makeGauge(registry, METRICS.stalledFor);
  const rollbacksFailed = makeGauge(registry, METRICS.rollbacksFailed);
  const setAside = makeGauge(registry, METRICS.setAside);
  const dueAge = makeGauge(registry, METRICS.dueAge);
  const locks = makeGauge(registry, METRICS.locks);
  const debts = makeGauge(registry, METRICS.debts);
  return (facts) => {
    promotions.reset();
    stalledFor.reset();
    rollbacksFailed.reset();
    for (const one of [inProgress, stalled, setAside, dueAge, locks, debts]) one.remove();
    if (!facts) return;
    const { orchestrator, monitoring, causes } = facts;
    for (const [status, count] of Object.entries(orchestrator.promotionsByStatus)) promotions.set({ status }, count);
    for (const { promotionId, environment, stalledMs } of monitoring.stalled) {
      const cause = causes.get(promotionId) ?? 'unknown';
      stalledFor.set({ promotion: promotionId, environment, cause }, Math.floor(stalledMs / 1_000));
    }
    for (const { environment } of monitoring.failedRollbacks) rollbacksFailed.set({ environment }, 1);
    inProgress.set(orchestrator.promotionsByStatus.in_progress ?? 0);
    stalled.set(orchestrator.stalledCount);
    setAside.set(orchestrator.setAsideCount);
    dueAge.set(secondsSince(orchestrator.oldestDueAtMs, orchestrator.databaseNowMs) ?? 0);
    locks.set(orchestrator.liveLockCount);
    debts.set(orchestrator.openDebtCount);
  };
}

function quotaGauges(registry: Registry): Setter {
  const used = makeGauge(registry, METRICS.quotaUsed);
  const limits = makeGauge(registry, METRICS.quotaLimit);
  const waiting = makeGauge(registry, METRICS.quotaWaiting);
  return (facts) => {
    for (const one of [used, limits, waiting]) one.reset();
    const limited = (facts?.quotas ?? []).filter(({ use }) => use !== null).slice(0, QUOTA_ENVIRONMENTS_MAX);
    for (const { environment, use, waiting: counts, nowMs } of limited) {
      for (const standing of use ? quotaStandings(use, nowMs) : []) {
        const labels = { environment, quota: standing.name };
        used.set(labels, standing.used);
        limits.set(labels, standing.limit);
        waiting.set(labels, counts[standing.name] ?? 0);
      }
    }
  };
}

function targetGauges(registry: Registry): Setter {
  const drifting = makeGauge(registry, METRICS.targetDrift);
  const unseen = makeGauge(registry, METRICS.targetUnseen);
  const lookAge = makeGauge(registry, METRICS.targetLookAge);
  return (facts) => {
    for (const one of [drifting, unseen, lookAge]) one.reset();
    for (const { environment, driftCount, unseenCount, oldestLookAtMs, nowMs } of facts?.drift ?? []) {
      drifting.set({ environment }, driftCount);
      unseen.set({ environment }, unseenCount);
      const ageS = secondsSince(oldestLookAtMs, nowMs);
      if (ageS !== null) lookAge.set({ environment }, ageS);
    }
  };
}

function workerGauges(registry: Registry): Setter {
  const workers = makeGauge(registry, METRICS.workers);
  const heartbeatAge = makeGauge(registry, METRICS.heartbeatAge);
  return (facts) => {
    heartbeatAge.reset();
    workers.remove();
    if (!facts) return;
    const { liveWorkers, liveWorkerCount } = facts.monitoring;
    workers.set(liveWorkerCount);
    for (const { id, hostname, heartbeatAgeMs } of liveWorkers) {
      heartbeatAge.set({ worker: id, hostname }, heartbeatAgeMs / 1_000);
    }
  };
}

function databaseGauges(registry: Registry): Setter {
  const writable = makeGauge(registry, METRICS.databaseWritable);
  const connections = makeGauge(registry, METRICS.databaseConnections);
  const connectionsMax = makeGauge(registry, METRICS.databaseConnectionsMax);
  const size = makeGauge(registry, METRICS.databaseSize);
  const clockSkew = makeGauge(registry, METRICS.clockSkew);
  return (facts) => {
    for (const one of [writable, connections, connectionsMax, size, clockSkew]) one.remove();
    if (!facts) return;
    const { database } = facts.monitoring;
    writable.set(database.isWritable ? 1 : 0);
    connections.set(database.connectionCount);
    connectionsMax.set(database.connectionCountMax);
    size.set(database.sizeBytes);
    clockSkew.set((facts.serverNowMs - database.nowMs) / 1_000);
  };
}

function auditGauges(registry: Registry): Setter {
  const unsequenced = makeGauge(registry, METRICS.unsequenced);
  const violations = makeGauge(registry, METRICS.violations);
  const sweepAge = makeGauge(registry, METRICS.sweepAge);
  return (facts) => {
    violations.reset();
    for (const one of [unsequenced, sweepAge]) one.remove();
    if (!facts) return;
    const { violationsByProperty, sweepEndedAtMs, unsequencedEventCount, databaseNowMs } = facts.orchestrator;
    for (const property of PROPERTIES) violations.set({ property }, violationsByProperty[property] ?? 0);
    unsequenced.set(unsequencedEventCount);
    sweepAge.set(secondsSince(sweepEndedAtMs, databaseNowMs) ?? -1);
  };
}

function channelGauges(registry: Registry): Setter {
  const pending = makeGauge(registry, METRICS.notificationsPending);
  const dead = makeGauge(registry, METRICS.notificationsDead);
  const age = makeGauge(registry, METRICS.notificationAge);
  return (facts) => {
    for (const one of [pending, dead, age]) one.reset();
    for (const { definition, pendingCount, deadCount, oldestPendingAtMs } of facts?.channels ?? []) {
      const labels = { channel: definition.name };
      pending.set(labels, pendingCount);
      dead.set(labels, deadCount);
      age.set(labels, secondsSince(oldestPendingAtMs, facts?.orchestrator.databaseNowMs ?? 0) ?? 0);
    }
  };
}

function secondsSince(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : Math.max(0, nowMs - atMs) / 1_000;
}
