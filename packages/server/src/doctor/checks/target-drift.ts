/** Whether every target still runs what was last verified there, as it was last looked at between promotions. */
import { componentsOf, formatDuration, type TargetObservation, wordSetting } from '@stella/domain';
import { type Check, type CheckFact, type CheckFinding, type DoctorDeps, passed } from '../check.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';

/** Targets that are named one by one. */
const FACTS_MAX = 20;

export const targetDrift: Check = {
  id: 'check.targets.drift',
  title: 'Targets run what was verified there',
  why: 'a host that came back with an older container, or a file that somebody changed, serves what nobody released',
  async look(deps) {
    const settings = await readSettingsNow(deps);
    const troubled = await deps.reads.listObservations({ environment: null });
    const drifting = troubled.filter(({ driftSinceMs }) => driftSinceMs !== null);
    const [drifts] = drifting;
    const unseen = troubled.filter(({ driftSinceMs }) => driftSinceMs === null);
    const [hidden] = unseen;
    const facts = [...drifting, ...unseen].slice(0, FACTS_MAX).map((one) => describe(one, deps.clock.nowMs()));
    if (drifts) return { ...(await driftOf(deps, drifts, drifting.length)), facts };
    if (hidden) return { ...unseenOf(hidden, unseen.length), facts };
    if (wordSetting(settings, 'observe.mode') === 'off') {
      return { status: 'skip', message: 'observe.mode is off: only promotions look at targets', facts, remedy: null };
    }
    return passed('no target is known to run anything else');
  },
};

type Told = Omit<CheckFinding, 'facts'>;

async function driftOf(
  deps: DoctorDeps,
  { environment, target, promised }: TargetObservation,
  count: number,
): Promise<Told> {
  const rows = await deps.reads.listEnvironments();
  const { targets = [] } = rows.find(({ definition }) => definition.name === environment)?.definition ?? {};
  const known = targets.find(({ name }) => name === target);
  const components = known ? componentsOf(known) : [];
  const which = new Set(targets.flatMap(componentsOf)).size > 1 ? ` --component ${components[0] ?? ''}` : '';
  const others = count > 1 ? `, and so do ${count - 1} more` : '';
  return {
    status: 'fail',
    message: `${target} of ${environment} runs other than what was verified there${others}`,
    remedy:
      components.length > 1
        ? {
            text: 'deploy any one of its artifacts anew, which brings them all; see which',
            command: `stella orch env status ${environment} --detailed`,
          }
        : {
            text: 'bring back what was verified; or another release: stella rollback start',
            command: `stella deploy --env ${environment} --artifact ${promised ?? ''}${which}`,
          },
  };
}

function unseenOf({ environment, target, message }: TargetObservation, count: number): Told {
  const others = count > 1 ? `, and so cannot ${count - 1} more` : '';
  return {
    status: 'warn',
    message: `${target} of ${environment} cannot be looked at${others}: ${message}`,
    remedy: { text: 'see where the way to it ends', command: `stella orch connectivity --target ${environment}` },
  };
}

function describe(one: TargetObservation, nowMs: number): CheckFact {
  const { environment, target, driftSinceMs, unseenSinceMs, digest, promised, code } = one;
  const ago = (atMs: number): string => formatDuration(Math.max(0, Math.floor((nowMs - atMs) / 1_000)) * 1_000);
  const drift =
    driftSinceMs === null ? '' : `runs ${digest ?? 'nothing whole'} instead of ${promised} for ${ago(driftSinceMs)}`;
  const unseen = unseenSinceMs === null ? '' : `not seen for ${ago(unseenSinceMs)} (${code})`;
  return { what: `${environment}/${target}`, value: [drift, unseen].filter((part) => part !== '').join('; ') };
}
