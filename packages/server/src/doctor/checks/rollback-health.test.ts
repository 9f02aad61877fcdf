import { AppError } from '@stella/domain';
import { makeDefinition, makeEmptyEnvironment, makeRelease, makeWholeEnvironment } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { DeploymentRow, EnvironmentRow } from '../../ports/read-store.ts';
import type { CheckFinding, DoctorDeps } from '../check.ts';
import { healthyDeps } from '../healthy-deps.ts';
import { rollbackHealth } from './rollback-health.ts';

type Status = EnvironmentRow['status'];

const RUNS = makeWholeEnvironment('prod', makeRelease(2));

function deployment(n: number, more: Partial<DeploymentRow> = {}): DeploymentRow {
  const { id: releaseId, name: releaseName } = makeRelease(n);
  const row = { releaseId, releaseName, releaseNumber: n, kind: 'promote', status: 'completed', endedAtMs: n };
  // What the check does not look at is left out.
  return { id: `prm_${n}`, ending: null, ...row, ...more } as DeploymentRow;
}

function look(
  status: Status | readonly Status[],
  history: readonly DeploymentRow[],
  readArtifact: DoctorDeps['readArtifact'] = () => Promise.resolve(),
): Promise<CheckFinding> {
  const healthy = healthyDeps();
  // Likewise.
  const rows = [status].flat().map((one) => ({ definition: makeDefinition(), status: one }) as EnvironmentRow);
  const reads = {
    ...healthy.reads,
    listEnvironments: () => Promise.resolve(rows),
    listDeployments: () => Promise.resolve(history),
    findRelease: () => Promise.resolve(makeRelease(1)),
  };
  return rollbackHealth.look(
    { ...healthy, reads, readArtifact } as unknown as DoctorDeps,
    new AbortController().signal,
  );
}

describe('check.orchestrator.rollback-health', () => {
  it('passes where the release before is there, and where nothing was before', async () => {
    expect(await look(RUNS, [deployment(2), deployment(1)])).toMatchObject({ status: 'pass' });
    expect(await look(makeEmptyEnvironment('prod'), [])).toMatchObject({ status: 'pass' });
  });

  it('fails when the artifact of the release before is gone, and names it', async () => {
    const gone = () =>
      Promise.reject(
        new AppError('registry.artifact_missing', { details: { repository: 'shop/web', digest: 'sha256:0' } }),
      );
    const finding = await look(RUNS, [deployment(2), deployment(1)], gone);
    expect(finding.status).toBe('fail');
    expect(finding.message).toContain('web of shop-1');
    expect(finding.remedy?.command).toMatch(/^stella orch artifacts get sha256:[0-9a-f]{64} --check$/);
  });

  it('warns when a registry gives no answer, and asks it once for all environments', async () => {
    let count = 0;
    const silent = () => {
      count += 1;
      return Promise.reject(new AppError('registry.unreachable', { details: { registry: 'r', message: 'no answer' } }));
    };
    const finding = await look([RUNS, RUNS, RUNS], [deployment(2), deployment(1)], silent);
    expect([finding.status, finding.facts.length, count]).toEqual(['warn', 3, 1]);
  });

  it('asks for an artifact once, does not apply without environments, and says when it could not ask', async () => {
    let count = 0;
    const there = () => {
      count += 1;
      return Promise.resolve();
    };
    const history = [deployment(2), deployment(1)];
    expect(await look([RUNS, RUNS], history, there)).toMatchObject({ status: 'pass' });
    expect(count).toBe(1);
    expect(await look([], history, there)).toMatchObject({ status: 'skip' });
    expect((await look(RUNS, history, null)).message).toContain('only the orchestrator itself can look');
    const many = await look(
      Array.from({ length: 101 }, () => RUNS),
      history,
      there,
    );
    expect(many.message).toBe('nothing stands in the way of the first 100 of 101 environments');
  });

  it('fails after a rollback that failed, until something completes, and where targets are mixed', async () => {
    const failed = deployment(1, { kind: 'rollback', status: 'failed', endedAtMs: 3 });
    expect(await look(RUNS, [failed, deployment(2)])).toMatchObject({
      status: 'fail',
      remedy: { command: 'stella orch env status prod --detailed' },
    });
    expect(await look(RUNS, [deployment(2), failed])).toMatchObject({ status: 'pass' });
    const byItself = deployment(3, { status: 'failed', ending: { code: 'rollback.failed', message: 'no space' } });
    expect((await look({ ...RUNS, state: 'mixed' }, [byItself, deployment(2)])).facts).toHaveLength(2);
  });
});
