/** Metrics for Prometheus: few, named `stella_…`, units last, labels of bounded number. */
import { PROPERTIES } from '@stella/domain';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineMetrics } from '../ports/metrics.ts';
import type { OrchestratorFacts } from '../ports/read-store.ts';

export interface Metrics extends EngineMetrics {
  readonly countRequest: (route: string, status: number, durationMs: number) => void;
  /** `facts` null: the database did not answer; what it would have said is left out. */
  render(facts: OrchestratorFacts | null): Promise<{ readonly contentType: string; readonly text: string }>;
}

export function makeMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gateAttempts = new Counter({
    name: 'stella_gate_attempts_total',
    help: 'Attempts of gates by kind and outcome.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const promotionDuration = new Histogram({
    name: 'stella_promotion_duration_seconds',
    help: 'From the creation of a promotion to its end, by how it ended.',
    labelNames: ['status'],
    buckets: [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400],
    registers,
  });
  const lockWait = new Histogram({
    name: 'stella_lock_wait_seconds',
    help: 'From the end of the gates to the lock.',
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3_600],
    registers,
  });
  const requests = new Histogram({
    name: 'stella_http_request_duration_seconds',
    help: 'API requests by route and status.',
    labelNames: ['route', 'status'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10],
    registers,
  });
  const renewals = new Counter({ name: 'stella_worker_lease_renewals_total', help: 'Renewed leases.', registers });
  const gauges = makeFactGauges(registry);
  return {
    gateAttempted: (kind, outcome) => gateAttempts.inc({ kind, outcome }),
    promotionEnded: (status, durationMs) => promotionDuration.observe({ status }, durationMs / 1_000),
    lockAcquired: (waitedMs) => lockWait.observe(Math.max(0, waitedMs) / 1_000),
    workerRenewed: () => renewals.inc(),
    countRequest: (route, status, durationMs) =>
      requests.observe({ route, status: String(status) }, durationMs / 1_000),
    async render(facts) {
      gauges.set(facts);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

function makeFactGauges(registry: Registry): { set(facts: OrchestratorFacts | null): void } {
  const registers = [registry];
  const up = new Gauge({ name: 'stella_database_up', help: '1 when the database answers.', registers });
  const promotions = new Gauge({
    name: 'stella_promotions',
    help: 'Live promotions by status.',
    labelNames: ['status'],
    registers,
  });
  const stalled = new Gauge({ name: 'stella_promotions_stalled', help: 'In progress without progress.', registers });
  const setAside = new Gauge({ name: 'stella_promotions_set_aside', help: 'No worker can move them.', registers });
  const locks = new Gauge({ name: 'stella_locks', help: 'Live exclusive locks.', registers });
  const debts = new Gauge({
    name: 'stella_gate_debts_open',
    help: 'Gates that were skipped and are still to pass for what runs.',
    registers,
  });
  const unsequenced = new Gauge({
    name: 'stella_events_unsequenced',
    help: 'Events that are not in the global audit chain yet.',
    registers,
  });
  const overdue = new Gauge({
    name: 'stella_due_age_seconds',
    help: 'How long the oldest due promotion has been unclaimed.',
    registers,
  });
  const violations = new Gauge({
    name: 'stella_invariant_violations',
    help: 'Rows that break a rule of safety or liveness, by property; 0 is how it must be.',
    labelNames: ['property'],
    registers,
  });
  const sweepAge = new Gauge({
    name: 'stella_invariant_sweep_age_seconds',
    help: 'Since the end of the last whole sweep of the audit; -1 before the first.',
    registers,
  });
  return {
    set(facts) {
      up.set(facts ? 1 : 0);
      promotions.reset();
      violations.reset();
      if (!facts) return;
      for (const [status, count] of Object.entries(facts.promotionsByStatus)) {
        promotions.set({ status }, count);
      }
      for (const property of PROPERTIES) violations.set({ property }, facts.violationsByProperty[property] ?? 0);
      const { sweepEndedAtMs, databaseNowMs } = facts;
      sweepAge.set(sweepEndedAtMs === null ? -1 : Math.max(0, databaseNowMs - sweepEndedAtMs) / 1_000);
      stalled.set(facts.stalledCount);
      setAside.set(facts.setAsideCount);
      locks.set(facts.liveLockCount);
      debts.set(facts.openDebtCount);
      unsequenced.set(facts.unsequencedEventCount);
      overdue.set(facts.oldestDueAtMs === null ? 0 : Math.max(0, facts.databaseNowMs - facts.oldestDueAtMs) / 1_000);
    },
  };
}
