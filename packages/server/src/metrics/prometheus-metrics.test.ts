import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeSeededIds } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { GateEvaluation } from '../ports/metrics.ts';
import type { MonitoredFacts } from './fact-gauges.ts';
import { GATE_SERIES_MAX, METRICS } from './metric-definitions.ts';
import { makeMetrics } from './prometheus-metrics.ts';

const OPS = join(import.meta.dirname, '../../../../ops');
const ids = makeSeededIds(1);
const PROMOTION = ids.next('prm');
const WORKER = ids.next('wrk');
const NAMES: ReadonlySet<string> = new Set(Object.values(METRICS).map(({ name }) => name));

const FACTS: MonitoredFacts = {
  orchestrator: {
    databaseNowMs: 100_000,
    databaseVersion: '18.0',
    schemaVersion: 1,
    installationEpoch: 1,
    promotionsByStatus: { in_progress: 3, pending_approval: 2 },
    stalledCount: 1,
    setAsideCount: 0,
    oldestDueAtMs: 98_000,
    liveLockCount: 1,
    openDebtCount: 0,
    unsequencedEventCount: 0,
    lastSeq: 9,
    violationsByProperty: {},
    sweepEndedAtMs: null,
  },
  monitoring: {
    stalled: [{ promotionId: PROMOTION, environment: 'prod', stalledMs: 660_000 }],
    failedRollbacks: [{ environment: 'prod', promotionId: makeSeededIds(7).next('prm') }],
    liveWorkerCount: 1,
    liveWorkers: [{ id: WORKER, hostname: 'a', heartbeatAgeMs: 1_500 }],
    database: { nowMs: 100_000, isWritable: true, connectionCount: 7, connectionCountMax: 100, sizeBytes: 1 },
  },
  causes: new Map([[PROMOTION, 'gate.slow']]),
  channels: [],
  drift: [
    { environment: 'dev', driftCount: 0, unseenCount: 0, oldestLookAtMs: null, nowMs: 100_000 },
    { environment: 'prod', driftCount: 2, unseenCount: 1, oldestLookAtMs: 40_000, nowMs: 100_000 },
  ],
  quotas: [
    {
      environment: 'prod',
      definition: null,
      requests: [],
      use: {
        limits: { perHour: null, perDay: 20, inProgress: null },
        timeZone: 'UTC',
        startsAtMs: [99_000],
        inProgress: [],
        startedIds: [],
      },
      waiting: { perDay: 3 },
      nowMs: 100_000,
    },
  ],
  serverNowMs: 93_000,
};

function evaluated(change: Partial<GateEvaluation> = {}): GateEvaluation {
  return { environment: 'prod', gate: 'tests', kind: 'http', outcome: 'passed', durationMs: 1_200, ...change };
}

describe('/metrics', () => {
  it('tells what stalls, how late heartbeats are, and how wrong the clock is', async () => {
    const { text } = await makeMetrics('1.2.3').render(FACTS);
    expect(text).toContain('stella_build_info{version="1.2.3"} 1');
    expect(text).toMatch(/^stella_promotions_in_progress 3$/m);
    expect(text).toContain(
      `stella_promotion_stalled_seconds{promotion="${PROMOTION}",environment="prod",cause="gate.slow"} 660\n`,
    );
    expect(text).toContain(`stella_worker_heartbeat_age_seconds{worker="${WORKER}",hostname="a"} 1.5\n`);
    expect(text).toContain('stella_quota_used{environment="prod",quota="perDay"} 1\n');
    expect(text).toContain('stella_quota_limit{environment="prod",quota="perDay"} 20\n');
    expect(text).toContain('stella_target_drift{environment="prod"} 2\n');
    expect(text).toContain('stella_target_unseen{environment="prod"} 1\n');
    expect(text.match(/^stella_target_look_age_seconds\{.*$/gm)).toEqual([
      'stella_target_look_age_seconds{environment="prod"} 60',
    ]);
    expect(text).toContain('stella_rollbacks_failed{environment="prod"} 1\n');
    expect(text).toContain('stella_quota_waiting{environment="prod",quota="perDay"} 3\n');
    expect(text).toMatch(/^stella_clock_skew_seconds -7$/m);
    expect(text).toMatch(/^stella_due_age_seconds 2$/m);
  });

  it('leaves out what it does not know when the database does not answer', async () => {
    const metrics = makeMetrics('1');
    await metrics.render(FACTS);
    const { text } = await metrics.render(null);
    expect(text).toMatch(/^stella_database_up 0$/m);
    expect(text).not.toMatch(/^stella_(promotions|promotion_stalled|workers|worker_heartbeat|database_conn)\w* /m);
    expect(text).not.toMatch(/^stella_(promotion_stalled|worker_heartbeat)\w*\{/m);
  });

  it('counts the time-outs of each gate, the first one as an increase', async () => {
    const metrics = makeMetrics('1');
    metrics.gateEvaluated(evaluated());
    expect((await metrics.render(null)).text).toContain(
      'orchestrator_gate_timeout_total{environment="prod",gate="tests"} 0',
    );
    metrics.gateEvaluated(evaluated({ outcome: 'timeout' }));
    const { text } = await metrics.render(null);
    expect(text).toContain('orchestrator_gate_timeout_total{environment="prod",gate="tests"} 1');
    expect(text).toContain(
      'stella_gate_evaluations_total{environment="prod",gate="tests",kind="http",outcome="timeout"} 1',
    );
  });

  it('has a bounded number of series, however often gates are renamed', async () => {
    const metrics = makeMetrics('1');
    for (let number = 0; number < GATE_SERIES_MAX + 50; number += 1) {
      metrics.gateEvaluated(evaluated({ gate: `gate-${number}` }));
    }
    const { text } = await metrics.render(null);
    expect(text.match(/^orchestrator_gate_timeout_total\{/gm)).toHaveLength(GATE_SERIES_MAX + 1);
    expect(text).toContain(
      'stella_gate_evaluations_total{environment="other",gate="other",kind="http",outcome="passed"} 50',
    );
  });
});

describe.each([
  'prometheus/stella-alerts.yaml',
  'prometheus/stella-alerts.test.yaml',
  'grafana/release-orchestrator.json',
])('ops/%s', (path) => {
  it('uses no metric that does not exist', () => {
    const text = readFileSync(join(OPS, path), 'utf8');
    const used = text.match(/\b(?:stella|orchestrator)_[a-z_]+\b/g) ?? [];
    const named = used.map((name) => name.replace(/_(?:bucket|count|sum)$/, ''));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !NAMES.has(name))).toEqual([]);
  });
});

describe('ops/prometheus', () => {
  it('tests every alert', () => {
    const read = (file: string): string => readFileSync(join(OPS, 'prometheus', file), 'utf8');
    const alerts = [...read('stella-alerts.yaml').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
    expect(alerts.length).toBeGreaterThan(10);
    const tests = read('stella-alerts.test.yaml');
    expect(alerts.filter((name) => !tests.includes(name))).toEqual([]);
  });
});
