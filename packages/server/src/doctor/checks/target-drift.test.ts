import { digestOf, type TargetDefinition, type TargetObservation } from '@stella/domain';
import { makeComposeTarget, makeDefinition, makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { EnvironmentRow } from '../../ports/read-store.ts';
import type { CheckFinding, DoctorDeps } from '../check.ts';
import { HEALTHY_NOW_MS, healthyDeps } from '../healthy-deps.ts';
import { targetDrift } from './target-drift.ts';

const PROMISED = digestOf('promised');

function observed(target: string, patch: Partial<TargetObservation>): TargetObservation {
  return {
    environment: 'prod',
    target,
    lookedAtMs: HEALTHY_NOW_MS,
    lookedBy: 'host-1',
    code: '',
    message: '',
    unseenSinceMs: null,
    seenAtMs: HEALTHY_NOW_MS,
    digest: PROMISED,
    isHealthy: true,
    promised: PROMISED,
    driftSinceMs: null,
    lastBreak: null,
    ...patch,
  };
}

const DRIFTS = observed('web-1', { digest: null, driftSinceMs: HEALTHY_NOW_MS - 65_000 });
const UNSEEN = observed('web-2', {
  code: 'target.unreachable',
  message: 'no route',
  unseenSinceMs: HEALTHY_NOW_MS - 5_000,
});

function look(
  troubled: readonly TargetObservation[],
  targets: readonly TargetDefinition[] = [makeTarget()],
  settings: Partial<DoctorDeps['settings']> = {},
): Promise<CheckFinding> {
  const healthy = healthyDeps();
  // What the check does not look at is left out.
  const row = { definition: makeDefinition({ name: 'prod', targets }) } as EnvironmentRow;
  const reads = {
    ...healthy.reads,
    listObservations: () => Promise.resolve(troubled),
    listEnvironments: () => Promise.resolve([row]),
  };
  const deps = { ...healthy, reads, settings: { ...healthy.settings, ...settings } } as unknown as DoctorDeps;
  return targetDrift.look(deps, new AbortController().signal);
}

describe('check.targets.drift', () => {
  it('passes while nothing is amiss, and says when nobody looks', async () => {
    expect(await look([])).toMatchObject({ status: 'pass' });
    expect(await look([], [makeTarget()], { 'observe.mode': 1 })).toMatchObject({ status: 'skip' });
  });

  it('fails when a target drifts, with the command that brings back what was verified', async () => {
    const finding = await look([DRIFTS, UNSEEN]);
    expect(finding).toMatchObject({
      status: 'fail',
      message: 'web-1 of prod runs other than what was verified there',
      remedy: { command: `stella deploy --env prod --artifact ${PROMISED}` },
    });
    expect(finding.facts).toEqual([
      { what: 'prod/web-1', value: `runs nothing whole instead of ${PROMISED} for 1m5s` },
      { what: 'prod/web-2', value: 'not seen for 5s (target.unreachable)' },
    ]);
  });

  it('names the component where several run, and how many others drift', async () => {
    const targets = [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })];
    const finding = await look([DRIFTS, { ...DRIFTS, target: 'api-1' }], targets);
    expect(finding.message).toMatch(/, and so do 1 more$/);
    expect(finding.remedy?.command).toMatch(/ --component web$/);
  });

  it('names no digest of several components together, which no artifact has', async () => {
    const finding = await look([{ ...DRIFTS, target: 'shop' }], [makeComposeTarget({ name: 'shop' })]);
    expect(finding).toMatchObject({ status: 'fail', remedy: { command: 'stella orch env status prod --detailed' } });
  });

  it('warns of a target that cannot be looked at: that is not drift', async () => {
    expect(await look([UNSEEN])).toMatchObject({
      status: 'warn',
      message: 'web-2 of prod cannot be looked at: no route',
      remedy: { command: 'stella orch connectivity --target prod' },
    });
  });
});
