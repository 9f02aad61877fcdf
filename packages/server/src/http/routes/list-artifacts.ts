/** `GET /environments/{environment}/artifacts`: every target is looked at now, so that nothing remembered is shown as seen. */
import { authorize, componentsOf, componentWords, promisedDigestOf, type TargetDefinition } from '@stella/domain';
import type { HttpDeps, RouteHandler } from '../route-handler.ts';

/** A target that does not answer by then is shown as not seen. */
const OBSERVE_TIMEOUT_MS = 10_000;

export const listArtifacts: RouteHandler<'listArtifacts'> = async (
  deps,
  { caller, parameters: { environment }, query: { filter }, signal },
) => {
  authorize(caller, 'environment.read', { environment, name: `environment ${environment}` });
  const row = await deps.reads.readEnvironment(environment);
  const ids = new Set(row.status.components.flatMap((one) => one.releaseId ?? []));
  const releases = await Promise.all([...ids].map((id) => deps.reads.findRelease(id)));
  const rows = await Promise.all(
    row.definition.targets.map(async (target) => {
      const running = row.status.components.find((one) => one.component === componentsOf(target)[0]);
      const release = releases.find((one) => one.id === running?.releaseId);
      const promised = promisedDigestOf(target, release);
      const seen = await observe(deps, { environment, target }, signal);
      return {
        environment,
        target: target.name,
        component: componentWords(target),
        promised,
        ...seen,
        // Only when that is what was seen.
        release: promised !== null && promised === seen.observed ? (release?.name ?? null) : null,
      };
    }),
  );
  return {
    items: rows.filter(
      (one) => filter === undefined || [one.promised, one.observed].some((digest) => digest?.includes(filter)),
    ),
  };
};

async function observe(
  { openTarget, clock }: HttpDeps,
  { environment, target }: { readonly environment: string; readonly target: TargetDefinition },
  signal: AbortSignal,
): Promise<{ observed: string | null; isHealthy: boolean; message: string }> {
  const deadline = AbortSignal.any([signal, clock.timeoutSignal(OBSERVE_TIMEOUT_MS)]);
  const answer = await openTarget(target, environment).observe({ signal: deadline, timeoutMs: OBSERVE_TIMEOUT_MS });
  if (answer.outcome === 'errored') return { observed: null, isHealthy: false, message: answer.message };
  const { digest, isHealthy, message } = answer.observation;
  return { observed: digest, isHealthy, message };
}
