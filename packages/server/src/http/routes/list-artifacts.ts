/** `GET /environments/{environment}/artifacts`: every target is looked at now, so that nothing remembered is shown as seen. */
import { authorize, componentWords } from '@stella/domain';
import { callTargets, lateWords } from '../../engine/commands/call-targets.ts';
import { readSettingsNow } from '../../ports/settings-now.ts';
import type { ObserveAnswer } from '../../ports/target.ts';
import { promisedNow, readRunning } from '../promised-now.ts';
import type { RouteHandler } from '../route-handler.ts';

/** Below the deadline of a request, so that the answer still tells what was seen by then. */
const WHOLE_LOOK_MS = 25_000;

export const listArtifacts: RouteHandler<'listArtifacts'> = async (
  deps,
  { caller, parameters: { environment }, query: { filter }, signal },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  const row = await deps.reads.readEnvironment(environment);
  const running = await readRunning(deps.reads, row);
  const { 'limits.targetsAtOnce': atOnce } = await readSettingsNow(deps);
  const called = { targets: row.definition.targets, atOnce, wholeMsMax: WHOLE_LOOK_MS };
  const answers = await callTargets<ObserveAnswer>(deps.clock, called, {
    ask: (target, call) =>
      deps.openTarget(target, environment).observe({ ...call, signal: AbortSignal.any([signal, call.signal]) }),
    late: (_target, waitedMs) => ({ outcome: 'errored', code: 'target.interrupted', message: lateWords(waitedMs) }),
  });
  const rows = row.definition.targets.map((target, index) => {
    const promised = promisedNow(target, row, running);
    const seen = seenOf(answers[index]);
    return {
      environment,
      target: target.name,
      component: componentWords(target),
      promised: promised.digest,
      ...seen,
      // Only when that is what was seen.
      release: promised.digest !== null && promised.digest === seen.observed ? promised.release : null,
    };
  });
  return {
    items: rows.filter(
      (one) => filter === undefined || [one.promised, one.observed].some((digest) => digest?.includes(filter)),
    ),
  };
};

function seenOf(answer: ObserveAnswer | undefined): { observed: string | null; isHealthy: boolean; message: string } {
  if (answer?.outcome !== 'ok') return { observed: null, isHealthy: false, message: answer?.message ?? '' };
  const { digest, isHealthy, message } = answer.observation;
  return { observed: digest, isHealthy, message };
}
