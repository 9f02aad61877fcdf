/** Whether each environment could go back to the release before: what the night depends on when a release is bad. */
import { formatSource, formerReleaseOf, isAppError, type ReleaseComponent, type ReleaseId } from '@stella/domain';
import type { DeploymentRow, EnvironmentRow } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, type DoctorDeps, passed } from '../check.ts';

/** Environments that are looked at, and deployments of each. */
const ENVIRONMENTS_MAX = 100;
const HISTORY_COUNT = 50;
/** Of one artifact: a registry that hangs must not take the time of the whole check. */
const READ_TIMEOUT_MS = 5_000;

interface Flaw {
  readonly environment: string;
  readonly what: string;
  /** Something runs that nobody promised, or nothing can be brought back. Else it could not be told. */
  readonly isFailure: boolean;
  readonly remedy: { readonly text: string; readonly command: string };
}

export const rollbackHealth: Check = {
  id: 'check.orchestrator.rollback-health',
  title: 'Environments can go back',
  why: 'a bad release is cured in minutes only while the one before it is there',
  async look(deps, signal) {
    const all = await deps.reads.listEnvironments();
    if (all.length === 0) return { status: 'skip', message: 'no environment is defined', facts: [], remedy: null };
    const looked = all.slice(0, ENVIRONMENTS_MAX);
    const look = makeLook(deps, signal);
    const flaws: Flaw[] = [];
    // One after another: the pool is for promotions.
    for (const row of looked) {
      if (signal.aborted) break;
      flaws.push(...(await flawsOf(deps, row, look)));
    }
    const count = all.length > looked.length ? `the first ${looked.length} of ${all.length}` : String(looked.length);
    return judge(count, flaws, deps.readArtifact !== null);
  },
};

function judge(count: string, flaws: readonly Flaw[], wasRead: boolean): CheckFinding {
  const sorted = flaws.toSorted((a, b) => Number(b.isFailure) - Number(a.isFailure));
  const [first] = sorted;
  if (!first) {
    const unread = wasRead ? '' : '; only the orchestrator itself can look for their artifacts';
    return passed(`nothing stands in the way of ${count} environments${unread}`);
  }
  const facts: CheckFact[] = sorted.map(({ environment, what }) => ({ what: environment, value: what }));
  return {
    status: first.isFailure ? 'fail' : 'warn',
    message: `${first.environment}: ${first.what}`,
    facts,
    remedy: first.remedy,
  };
}

async function flawsOf(deps: DoctorDeps, row: EnvironmentRow, look: Look): Promise<readonly Flaw[]> {
  const { name: environment } = row.definition;
  const history = await deps.reads.listDeployments(environment, { statuses: null, limit: HISTORY_COUNT });
  const remedy = {
    text: 'see which target runs what, and the way back',
    command: `stella orch env status ${environment} --detailed`,
  };
  const flaws: Flaw[] = [];
  const failed = failedRollback(history);
  if (failed) flaws.push({ environment, what: `the rollback ${failed.id} failed`, isFailure: true, remedy });
  if (row.status.state === 'mixed') {
    flaws.push({ environment, what: 'some targets run something else than the others', isFailure: true, remedy });
  }
  const missing = await missingArtifact(deps, formerRelease(row, history), look);
  if (missing !== null) flaws.push({ environment, ...missing });
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
  look: Look,
): Promise<Omit<Flaw, 'environment'> | null> {
  if (releaseId === null || readArtifact === null) return null;
  const release = await reads.findRelease(releaseId);
  for (const component of release.components) {
    const trouble = await look(component);
    if (trouble === null) continue;
    const { message, isTold } = trouble;
    return {
      what: `${component.name} of ${release.name}, the release before, cannot be read: ${message}`,
      isFailure: isTold,
      remedy: {
        text: isTold ? 'bring the artifact back to where it was' : 'let its registry be reached, and look again',
        command: `stella orch artifacts get ${component.digest} --check`,
      },
    };
  }
  return null;
}

/** Why an artifact cannot be read; null: it was. */
type Look = (component: ReleaseComponent) => Promise<Trouble | null>;

interface Trouble {
  readonly message: string;
  /** By whoever should have it. Else nobody answered. */
  readonly isTold: boolean;
}

/** Environments share releases, and releases registries: each artifact is asked for once, and a silent registry once in all. */
function makeLook({ readArtifact, clock }: DoctorDeps, signal: AbortSignal): Look {
  const known = new Map<string, Trouble | null>();
  return async ({ source, digest }) => {
    const host = source.kind === 'registry' ? source.registry : source.directory;
    const artifact = `${formatSource(source)}@${digest}`;
    const earlier = known.get(host) ?? known.get(artifact);
    if (earlier !== undefined) return earlier;
    const late = clock.timeoutSignal(READ_TIMEOUT_MS);
    try {
      await readArtifact?.(source, digest, AbortSignal.any([signal, late]));
      known.set(artifact, null);
      return null;
    } catch (error) {
      if (!isAppError(error)) throw error;
      const isTold = error.code !== 'registry.unreachable';
      const message = late.aborted && !isTold ? `${host} gave no answer within ${READ_TIMEOUT_MS} ms` : error.message;
      const trouble = { message, isTold };
      known.set(isTold ? artifact : host, trouble);
      return trouble;
    }
  };
}
