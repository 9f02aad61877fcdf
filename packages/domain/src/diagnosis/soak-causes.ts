/** Why a soak is not over: it runs, or what should soak runs no more, or not well, in an environment that is named. */
import type { SoakGateDefinition } from '../environment/environment-definition.ts';
import { breakWords, concerns, hasDrifted, type ObservedBreak } from '../environment/soundness.ts';
import { lookAtSoak } from '../promotion/decide/soak.ts';
import type { GateRun } from '../promotion/promotion.ts';
import { isOlderThanBase, runsWholeSinceMs } from '../promotion/scope.ts';
import type { PredecessorStatus } from '../promotion/snapshot.ts';
import { wordSetting } from '../settings/settings.ts';
import type { Digest } from '../values/digest.ts';
import { type InstantMs, toRfc3339 } from '../values/instant.ts';
import { type CaseView, commandRemedy, externalRemedy, makeCause, makeFact, waitRemedy } from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Remedy } from './diagnosis.ts';
import { skipRemedies } from './gate-remedies.ts';

/** So many broken targets are told. */
const BREAKS_MAX = 5;

export function soakCause(view: CaseView, gate: SoakGateDefinition, run: GateRun): Cause {
  const standing = lookAtSoak(gate, view.snapshot, view.nowMs);
  const atMs = run.startedAtMs ?? view.nowMs;
  const skips = skipRemedies(view, { run });
  if (standing.dueAtMs !== null) {
    const value = `${standing.message}, until ${toRfc3339(standing.dueAtMs)}`;
    if (run.deadlineAtMs !== null && standing.dueAtMs > run.deadlineAtMs) {
      return makeCause(view, 'soak.broken', {
        confidence: 'certain',
        facts: [
          makeFact('promotion', `gate ${run.gate}`, `${value}; its deadline is ${toRfc3339(run.deadlineAtMs)}`, atMs),
        ],
        remedies: [beginAnewRemedy(view, standing.dueAtMs), ...skips],
      });
    }
    const wait = waitRemedy({
      text: 'it passes by itself',
      effect: 'the gate passes when the time is over',
      untilMs: standing.dueAtMs,
    });
    return makeCause(view, 'soak.running', {
      confidence: 'certain',
      facts: [makeFact('promotion', `gate ${run.gate}`, value, atMs)],
      remedies: [wait, ...skips],
    });
  }
  if (standing.breaks.length > 0) {
    const told = standing.breaks.slice(0, BREAKS_MAX);
    return makeCause(view, 'soak.broken', {
      confidence: 'certain',
      facts: told.map((one) => makeFact('environment', one.environment, breakWords(one), one.seenAtMs ?? one.sinceMs)),
      remedies: [...breakRemedies(view, told, run), ...skips],
    });
  }
  return makeCause(view, 'soak.broken', {
    confidence: 'certain',
    facts: [makeFact('environment', `gate ${run.gate}`, `${view.snapshot.release.name} ${standing.message}`, atMs)],
    remedies: [...soakRemedies(view, gate, run), ...skips],
  });
}

/** It began anew too late for its deadline. What was sound until now counts for another promotion, too, which has a later one. */
function beginAnewRemedy({ snapshot: { promotion, release } }: CaseView, dueAtMs: InstantMs): Remedy {
  return externalRemedy({
    text: `promote ${release.name} to ${promotion.environment} anew: its soak is over at ${toRfc3339(dueAtMs)} all the same`,
    command: commandLine('promotion', 'cancel', promotion.id),
    effect: 'makes way for the other one; this one fails at the deadline of its gate, before its soak is over',
    harm: 'low',
    needs: 'releaser',
  });
}

/** What drifts is cured by what is promised; what is ill runs that already, and has to be mended. */
function breakRemedies(view: CaseView, breaks: readonly ObservedBreak[], run: GateRun): readonly Remedy[] {
  const ill = breaks.filter((one) => !hasDrifted(one));
  const places = view.snapshot.predecessors.filter(({ name }) => breaks.some((one) => one.environment === name));
  return [
    ...ill.map((one) => mendRemedy(view, one)),
    ...places.flatMap((one) => bringRemedies(view, one, { run, breaks })),
  ];
}

function mendRemedy({ snapshot }: CaseView, { environment, target }: ObservedBreak): Remedy {
  const isOff = wordSetting(snapshot.settings, 'observe.mode') === 'off';
  return externalRemedy({
    text: `find out what ails ${target} in ${environment}, and mend it`,
    command: commandLine('orch', 'env', 'status', environment, '--detailed'),
    effect: isOff
      ? 'shows it; nobody looks with observe.mode off, so bring the release there again afterwards'
      : 'shows it; the soak begins anew when the next look finds it healthy',
    needs: 'viewer',
  });
}

/** A release never goes back behind a newer one: where that runs, this one cannot soak any more. */
function soakRemedies(view: CaseView, gate: SoakGateDefinition, run: GateRun): Remedy[] {
  const { release, promotion, predecessors } = view.snapshot;
  const places = predecessors.filter((one) => gate.environments.includes(one.name));
  const newer = places.find((one) => isOlderThanBase(one, release));
  if (newer) {
    return [
      externalRemedy({
        text: `${newer.name} runs a newer release by now: promote that one to ${promotion.environment} instead`,
        command: commandLine('promotion', 'cancel', promotion.id),
        effect: `${release.name} cannot go back there, and does not soak any more`,
        harm: 'low',
        needs: 'releaser',
      }),
    ];
  }
  return places
    .filter((one) => runsWholeSinceMs(one, release) === null)
    .map((one) => bringRemedy(view, one, { run, artifact: null }));
}

interface Brought {
  readonly run: GateRun;
  /** Of one component alone; null: the release. */
  readonly artifact: Digest | null;
}

/** What is deployed by its artifact may have come there in another release, which stays: one by one, what is broken. */
function bringRemedies(
  view: CaseView,
  place: PredecessorStatus,
  { run, breaks }: { readonly run: GateRun; readonly breaks: readonly ObservedBreak[] },
): readonly Remedy[] {
  const { release, promotion } = view.snapshot;
  if (promotion.kind !== 'deploy') return [bringRemedy(view, place, { run, artifact: null })];
  const here = breaks.filter((one) => one.environment === place.name);
  const broken = release.components.filter(({ name }) => here.some((one) => concerns(one, [name])));
  return broken.map(({ digest: artifact }) => bringRemedy(view, place, { run, artifact }));
}

/** Verified there once more. */
function bringRemedy({ snapshot }: CaseView, { name }: PredecessorStatus, { run, artifact }: Brought): Remedy {
  const { release } = snapshot;
  const deadline = run.deadlineAtMs === null ? 'its deadline' : toRfc3339(run.deadlineAtMs);
  return commandRemedy({
    text: `bring ${artifact ?? release.name} to ${name} again, whole`,
    command:
      artifact === null
        ? commandLine('promotion', 'create', '--release', release.name, '--to', name)
        : commandLine('deploy', '--env', name, '--artifact', artifact),
    effect: `the soak begins anew there; without it the gate fails at ${deadline}`,
    needs: 'releaser',
  });
}
