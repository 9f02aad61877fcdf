/** Metrics of `prom-client` from their definitions. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { MetricDefinition } from './metric-definitions.ts';

type Labels<Definition extends MetricDefinition> = Definition['labels'][number];
type Of<Kind extends MetricDefinition['kind']> = MetricDefinition & { readonly kind: Kind };

export function makeCounter<const Definition extends Of<'counter'>>(
  registry: Registry,
  { name, help, labels }: Definition,
): Counter<Labels<Definition>> {
  return new Counter({ name, help, labelNames: [...labels], registers: [registry] });
}

export function makeGauge<const Definition extends Of<'gauge'>>(
  registry: Registry,
  { name, help, labels }: Definition,
): Gauge<Labels<Definition>> {
  return new Gauge({ name, help, labelNames: [...labels], registers: [registry] });
}

export function makeHistogram<const Definition extends Of<'histogram'>>(
  registry: Registry,
  { name, help, labels, buckets = [] }: Definition,
): Histogram<Labels<Definition>> {
  return new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers: [registry] });
}
