/** What `check.network` makes of reports, and when it looks itself. */
import { makeFreshProbe, parseDigest, type ProbeReport, type ProbeStage } from '@stella/domain';
import { makeDefinition, makeEmptyEnvironment, makeTarget, makeHttpGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { DoctorDeps } from '../check.ts';
import { HEALTHY_NOW_MS, healthyDeps } from '../healthy-deps.ts';
import { type CheckResult, runChecks } from '../run-checks.ts';
import { network } from './network.ts';

const DAY_MS = 86_400_000;
const definition = makeDefinition({
  name: 'prod',
  gates: [makeHttpGate({ name: 'tests' })],
  targets: [makeTarget({ name: 'web' })],
});
const ROW = {
  definition,
  version: 1,
  hash: parseDigest(`sha256:${'0'.repeat(64)}`),
  appliedAtMs: 0,
  status: makeEmptyEnvironment('prod'),
  releaseName: null,
  releaseNames: {},
  debts: [],
};
const OK: ProbeStage = { stage: 'answer', outcome: 'ok', durationMs: 7, code: null, detail: 'HEAD answered 200' };
const REFUSED: ProbeStage = {
  stage: 'tcp',
  outcome: 'failed',
  durationMs: 1,
  code: 'tcp.refused',
  detail: 'nothing listens there',
};

interface World {
  readonly kept?: readonly ProbeReport[];
  readonly seen?: readonly ProbeStage[];
  readonly hasProber?: boolean;
  readonly mayProbe?: boolean;
  readonly deps?: Partial<DoctorDeps>;
}

/** What the checks of the gate and of the target say, and of whom it was looked. */
async function look({ kept = [], seen = [OK], hasProber = true, mayProbe = true, deps = {} }: World): Promise<{
  readonly target: CheckResult | undefined;
  readonly gate: CheckResult | undefined;
  readonly looked: readonly string[];
}> {
  const looked: string[] = [];
  const healthy = healthyDeps();
  const whole = {
    ...healthy,
    reads: { ...healthy.reads, listEnvironments: () => Promise.resolve([ROW]) },
    probing: {
      listProbes: () => Promise.resolve(kept),
      prober: hasProber
        ? {
            probe: (lookables) => {
              looked.push(...lookables.map(({ subject }) => subject.name));
              const reports = lookables.map(({ subject }) => makeFreshProbe(subject, seen));
              return Promise.resolve(reports.map((one) => ({ ...one, atMs: HEALTHY_NOW_MS })));
            },
          }
        : null,
    },
    ...deps,
    // The audit is not asked.
  } as DoctorDeps;
  const order = { id: 'check.network', category: null, timeoutMs: 1_000, mayProbe: () => mayProbe };
  const results = await runChecks(whole, order, { checks: [], families: [network] });
  const find = (id: string): CheckResult | undefined => results.find((one) => one.id === id);
  return { target: find('check.network.prod.web'), gate: find('check.network.prod.gates.tests'), looked };
}

function report(stages: readonly ProbeStage[], atMs: number): ProbeReport {
  return { ...makeFreshProbe({ kind: 'gate', environment: 'prod', name: 'tests' }, stages), atMs };
}

describe('check.network', () => {
  it('looks at each target and each gate that asks a service', async () => {
    const { target, gate, looked } = await look({});
    expect(looked).toEqual(['web', 'tests']);
    expect(target).toMatchObject({ status: 'pass', message: 'answers in 7ms' });
    expect(gate?.facts).toEqual([
      { what: 'answer', value: 'ok in 7 ms: HEAD answered 200' },
      { what: 'looked at', value: 'now' },
    ]);
  });

  it('takes a good report of the last minute as it is, and looks anew where it was bad or is old', async () => {
    const fresh = await look({ kept: [report([OK], HEALTHY_NOW_MS - 30_000)] });
    expect(fresh.looked).toEqual(['web']);
    expect(fresh.gate?.facts.at(-1)).toEqual({ what: 'looked at', value: '30s ago' });
    expect((await look({ kept: [report([REFUSED], HEALTHY_NOW_MS - 30_000)] })).looked).toContain('tests');
    expect((await look({ kept: [report([OK], HEALTHY_NOW_MS - 61_000)] })).looked).toContain('tests');
  });

  it('fails with the stage that failed, what cures it, and the command that looks again', async () => {
    const { gate, target } = await look({ seen: [REFUSED] });
    expect(gate).toMatchObject({
      status: 'fail',
      message: 'tcp: nothing listens there',
      remedy: {
        text: 'start what should listen there, or open the way to it; then look again',
        command: 'stella orch connectivity --gate tests --env prod',
      },
    });
    expect(target?.remedy?.command).toBe('stella orch connectivity --target prod');
    const refused: ProbeStage = { ...REFUSED, stage: 'auth', code: 'auth.refused' };
    expect((await look({ seen: [refused] })).gate?.remedy?.command).toBe(
      'stella orch credentials verify --target prod',
    );
    const forbidden: ProbeStage = { ...REFUSED, code: 'tcp.forbidden' };
    expect((await look({ seen: [forbidden] })).gate?.remedy?.text).toContain('STELLA_OUTGOING_ALLOW');
  });

  it.each([
    [20, 'warn'],
    [22, 'pass'],
  ] as const)('a certificate that ends in %d days: %s', async (days, status) => {
    const tls: ProbeStage = { ...OK, stage: 'tls', expiresAtMs: HEALTHY_NOW_MS + days * DAY_MS };
    expect((await look({ seen: [tls, OK] })).gate).toMatchObject({ status });
  });

  it('skips what it may not or cannot look at, and shows the last report', async () => {
    const kept = [report([REFUSED], HEALTHY_NOW_MS - 3_600_000)];
    const forbidden = await look({ kept, mayProbe: false });
    expect(forbidden.looked).toEqual([]);
    expect(forbidden.gate?.status).toBe('skip');
    expect(forbidden.gate?.message).toContain('wants the role');
    expect(forbidden.gate?.facts).toEqual([
      { what: 'last report', value: 'tcp: nothing listens there' },
      { what: 'looked at', value: '1h ago' },
    ]);
    expect((await look({ hasProber: false })).target).toMatchObject({ status: 'skip', facts: [] });
  });

  it('says so when no time is left for its turn', async () => {
    const over = { ...healthyDeps().clock, timeoutSignal: () => AbortSignal.abort() };
    const { gate, looked } = await look({ deps: { clock: over } });
    expect(looked).toEqual([]);
    expect(gate).toMatchObject({ status: 'skip', message: 'no time was left to look at it' });
  });
});
