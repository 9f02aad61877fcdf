/** `POST /deploys` */
import {
  type ArtifactReference,
  deployedComponent,
  parseArtifactReference,
  type ReleaseComponent,
} from '@stella/domain';
import { authorizeWay } from '../../engine/commands/create-promotion.ts';
import { resolveComponents } from '../../engine/commands/create-release.ts';
import { deployArtifact as deploy } from '../../engine/commands/deploy-artifact.ts';
import { presentPromotion } from '../present/present-promotion.ts';
import type { HttpDeps, RouteHandler } from '../route-handler.ts';

/** To find the artifact in its registry and read it. */
const RESOLVE_TIMEOUT_MS = 25_000;

export const deployArtifact: RouteHandler<'deployArtifact'> = async (
  deps,
  { caller, body, signal, write, findRepeated },
) => {
  const { environment, isForced, reason } = body;
  authorizeWay(caller, environment, { kind: 'deploy', isForced });
  const kept = await findRepeated();
  if (kept) return kept;
  const { definition } = await deps.reads.readEnvironment(environment);
  const { reference, known } = await findArtifact(deps, body.artifact);
  const name = deployedComponent(definition, body.component ?? null, known);
  const deadline = AbortSignal.any([signal, deps.clock.timeoutSignal(RESOLVE_TIMEOUT_MS)]);
  const components = await resolveComponents(deps.registry, [{ name, reference }], deadline);
  const answer = await write(async (tx) => {
    // One was wanted, so one was found.
    const component = components[0] as ReleaseComponent;
    const id = await deploy(tx, deps, caller, { environment, component, isForced, reason });
    return presentPromotion(await tx.readPromotion(id), tx.nowMs);
  });
  deps.wake();
  return answer;
};

/** A digest is looked up among the releases; anything else says where the artifact is. */
async function findArtifact(
  { reads }: Pick<HttpDeps, 'reads'>,
  text: string,
): Promise<{ readonly reference: ArtifactReference; readonly known: readonly string[] }> {
  if (!text.startsWith('sha256:')) return { reference: parseArtifactReference(text), known: [] };
  const { digest, uses } = await reads.readArtifact(text);
  const known = [...new Set(uses.map((one) => one.component.name))];
  // It was found, so a release has it.
  const { source } = (uses[0] as (typeof uses)[number]).component;
  return { reference: { source, digest, tag: null }, known };
}
