/** Whether each environment could go back to the release before: what the night depends on when a release is bad. */
import { formerReleaseOf, isAppError, type Release, type ReleaseId } from '@stella/domain';
import type { DeploymentRow, EnvironmentRow } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, type DoctorDeps, passed } from '../check.ts';

/** Environments that are looked at, and deployments of each. */
const ENVIRONMENTS_MAX = 100;
const HISTORY_COUNT = 50;

interface Flaw {
  readonly environment: string;
  readonly what: string;
  /** Something runs that nobody promised, or nothing can be brought back. */
  readonly isFailure: boolean;
}

export const rollbackHealth: Check = {
  id: 'check.orchestrator.rollback-health',
  title: 'Environments can go back',
  why: 'a bad release is cured in minutes only while the one before it is there',
  async look(deps, signal) {
    const environments = (await deps.reads.listEnvironments()).slice(0, ENVIRONMENTS_MAX);
    const flaws: Flaw[] = [];
    // One after another: the pool is for promotions.
    for (const row of environments) {
      if (signal.aborted) break;
      flaws.push(...(await flawsOf(deps, row, signal)));
    }
    return judge(environments.length, flaws);
  },
};

function judge(count: number, flaws: readonly Flaw[]): CheckFinding {
  const sorted = flaws.toSorted((a, b) => Number(b.isFailure) - Number(a.isFailure));
  const [first] = sorted;
  if (!first) return passed(`nothing stands in the way of ${count} environments`);
  const facts: CheckFact[] = sorted.map(({ environment, what }) => ({ what: environment, value: what }));
  const command = `stella orch env status ${first.environment} --detailed`;
  return {
    status: first.isFailure ? 'fail' : 'warn',
    message: `${first.environment}: ${first.what}`,
    facts,
    remedy: { text: 'see which target runs what, and the way back', command },
  };
}

async function flawsOf(deps: DoctorDeps, row: EnvironmentRow, signal: AbortSignal): Promise<readonly Flaw[]> {
  const { name } = row.definition;
  const history = await deps.reads.listDeployments(name, { statuses: null, limit: HISTORY_COUNT });
  const flaws: Flaw[] = [];
  const failed = failedRollback(history);
  if (failed) flaws.push({ environment: name, what: `the rollback ${failed.id} failed`, isFailure: true });
  if (row.status.state === 'mixed') {
    flaws.push({ environment: name, what: 'some targets run something else than the others', isFailure: true });
  }
  const missing = await missingArtifact(deps, formerRelease(row, history), signal);
  if (missing !== null) flaws.push({ environment: name, what: missing, isFailure: true });
  return flaws;
}

/** The newest that ended, when it was a rollback that did not come to its end. */
export function failedRollback(history: readonly DeploymentRow[]): DeploymentRow | null {
  const newest = history.find((one) => one.endedAtMs !== null);
  if (!newest || newest.status === 'completed') return null;
  return newest.kind === 'rollback' || newest.ending?.code === 'rollback.failed' ? newest : null;
}

/** Null: there is none, which is no flaw of a young environment. */
function formerRelease({ status }: EnvironmentRow, history: readonly DeploymentRow[]): ReleaseId | null {
  try {
    return formerReleaseOf(
      status,
      history.filter((one) => one.status === 'completed'),
    );
  } catch (error) {
    if (isAppError(error) && error.code.startsWith('rollback.')) return null;
    throw error;
  }
}

async function missingArtifact(
  { reads, readArtifact }: DoctorDeps,
  releaseId: ReleaseId | null,
  signal: AbortSignal,
): Promise<string | null> {
  if (releaseId === null || readArtifact === null) return null;
  const release: Release = await reads.findRelease(releaseId);
  for (const { name, source, digest } of release.components) {
    try {
      await readArtifact(source, digest, signal);
    } catch (error) {
      if (!isAppError(error)) throw error;
      return `${name} of ${release.name}, the release before, cannot be read: ${error.message}`;
    }
  }
  return null;
}
