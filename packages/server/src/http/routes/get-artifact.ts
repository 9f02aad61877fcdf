/** `GET /artifacts/{artifact}`: which releases have it, which environments run it, and whether it is still there. */
import { type Digest, formatSource, isAllowed, isAppError, authorize } from '@stella/domain';
import type { ArtifactUse } from '../../ports/read-store.ts';
import type { HttpDeps, RouteHandler } from '../route-handler.ts';

/** To ask each place of the artifact, side by side. */
const CHECK_TIMEOUT_MS = 15_000;

export const getArtifact: RouteHandler<'getArtifact'> = async (
  deps,
  { caller, parameters: { artifact }, query: { check }, signal },
) => {
  authorize(caller, 'release.read', { environment: null, name: `artifact ${artifact}` });
  const { digest, uses } = await deps.reads.readArtifact(artifact);
  const mayShow = (environment: string): boolean => isAllowed(caller.bindings, 'environment.read', environment);
  const sources = [...new Map(uses.map((one) => [formatSource(one.component.source), one])).values()];
  return {
    digest,
    mediaType: sources[0]?.component.mediaType ?? '',
    releases: uses.map(({ releaseId, releaseName, component, environments }) => ({
      release: { id: releaseId, name: releaseName },
      component: component.name,
      environments: environments.filter(mayShow),
    })),
    sources: await Promise.all(
      sources.map(async (use) => ({
        source: formatSource(use.component.source),
        ...(check === 'true' ? await lookAt(deps, digest, use, signal) : { isPresent: null, message: 'not looked at' }),
      })),
    ),
  };
};

/** The manifest is read and hashed, so that a registry cannot just say yes. */
async function lookAt(
  { registry, clock }: Pick<HttpDeps, 'registry' | 'clock'>,
  digest: Digest,
  { component: { source } }: ArtifactUse,
  signal: AbortSignal,
): Promise<{ readonly isPresent: boolean; readonly message: string }> {
  try {
    const deadline = AbortSignal.any([signal, clock.timeoutSignal(CHECK_TIMEOUT_MS)]);
    const { kind } = await registry.readDocument(source, digest, deadline);
    return { isPresent: true, message: `the ${kind} is there, and its bytes hash to the digest` };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { isPresent: false, message: `${error.code}: ${error.message}` };
  }
}
