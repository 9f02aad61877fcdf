/** `docs/operating/metrics.md`: every metric with its labels, and what bounds them. */
import { METRICS, type MetricDefinition } from '@stella/server';
import { cell, generatedNote, table } from './markdown.ts';

export function renderMetricsPage(): string {
  return `${[
    '# Metrics',
    generatedNote('packages/server/src/metrics/metric-definitions.ts'),
    [
      '`GET /metrics` of every server, in the format of Prometheus, without authentication: it names environments, gates and',
      'stalled promotions, but no secret, so let it be reached by the monitoring only. Gauges of promotions, locks, workers',
      'and the database come from the database: every server tells the same, so use `max`, not `sum`. Counters and',
      'histograms are of one server: use `sum(rate(…))`. A server that cannot reach its database says',
      '`stella_database_up 0` and leaves out what it does not know.',
    ].join('\n'),
    table(
      ['Metric', 'Kind', 'Labels', 'Series', 'Says'],
      Object.values(METRICS).map(({ name, kind, labels, bound, help }: MetricDefinition) => [
        `\`${name}\``,
        kind,
        labels.map((label) => `\`${label}\``).join(' '),
        cell(bound),
        cell(help),
      ]),
    ),
  ].join('\n\n')}\n`;
}
