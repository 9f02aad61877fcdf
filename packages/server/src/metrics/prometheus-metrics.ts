/** `/metrics` for Prometheus: what this process counted, and what the database knows, which every replica tells alike. */
import { Registry } from 'prom-client';
import type { EngineMetrics, GateEvaluation, NotifyMetrics } from '../ports/metrics.ts';
import { makeFactGauges, type MonitoredFacts } from './fact-gauges.ts';
import { makeCounter, makeGauge, makeHistogram } from './make-metric.ts';
import { CHANNEL_SERIES_MAX, GATE_SERIES_MAX, METRICS } from './metric-definitions.ts';

export interface Metrics extends EngineMetrics, NotifyMetrics {
  readonly countRequest: (route: string, status: number, durationMs: number) => void;
  /** `facts` null: the database did not answer; what it would have said is left out. */
  render(facts: MonitoredFacts | null): Promise<{ readonly contentType: string; readonly text: string }>;
}

export function makeMetrics(version: string): Metrics {
  const registry = new Registry();
  makeGauge(registry, METRICS.build).set({ version }, 1);
  const promotionDuration = makeHistogram(registry, METRICS.duration);
  const lockWait = makeHistogram(registry, METRICS.lockWait);
  const requests = makeHistogram(registry, METRICS.requests);
  const renewals = makeCounter(registry, METRICS.leaseRenewals);
  const gauges = makeFactGauges(registry);
  return {
    gateEvaluated: makeGateCounters(registry),
    deliveryAttempted: makeDeliveryCounter(registry),
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

function makeGateCounters(registry: Registry): (evaluation: GateEvaluation) => void {
  const evaluations = makeCounter(registry, METRICS.gateEvaluations);
  const timeouts = makeCounter(registry, METRICS.gateTimeouts);
  const durations = makeHistogram(registry, METRICS.gateDuration);
  const seen = new Set<string>();
  /** Names come from configurations, which may rename without end. */
  const bounded = (environment: string, gate: string): { readonly environment: string; readonly gate: string } => {
    const key = `${environment}/${gate}`;
    if (!seen.has(key) && seen.size >= GATE_SERIES_MAX) return { environment: 'other', gate: 'other' };
    seen.add(key);
    return { environment, gate };
  };
  return ({ environment, gate, kind, outcome, durationMs }) => {
    const labels = bounded(environment, gate);
    evaluations.inc({ ...labels, kind, outcome });
    // Counted from 0, so that Prometheus sees the first time-out as an increase.
    timeouts.inc(labels, outcome === 'timeout' ? 1 : 0);
    durations.observe({ kind }, durationMs / 1_000);
  };
}

function makeDeliveryCounter(registry: Registry): NotifyMetrics['deliveryAttempted'] {
  const attempts = makeCounter(registry, METRICS.deliveries);
  const seen = new Set<string>();
  return (name, outcome) => {
    const isKnown = seen.has(name) || seen.size < CHANNEL_SERIES_MAX;
    if (isKnown) seen.add(name);
    attempts.inc({ channel: isKnown ? name : 'other', outcome });
  };
}
