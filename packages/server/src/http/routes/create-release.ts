/** `POST /releases` */
import { AppError, authorize, parseArtifactReference } from '@stella/domain';
import { createRelease as create, resolveComponents } from '../../engine/commands/create-release.ts';
import { presentRelease } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

/** To resolve and check all artifacts of one release. */
const RESOLVE_TIMEOUT_MS = 25_000;

export const createRelease: RouteHandler<'createRelease'> = async (
  { registry, clock },
  { caller, body, signal, write, findRepeated },
) => {
  authorize(caller, 'release.create', { environment: null, name: `release ${body.name}` });
  const kept = await findRepeated();
  if (kept) return kept;
  const names = body.components.map((one) => one.name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new AppError('input.invalid', { details: { message: `the component "${repeated}" is given twice` } });
  }
  const wanted = body.components.map(({ name, artifact }) => ({ name, reference: parseArtifactReference(artifact) }));
  const deadline = AbortSignal.any([signal, clock.timeoutSignal(RESOLVE_TIMEOUT_MS)]);
  const components = await resolveComponents(registry, wanted, deadline);
  return write(async (tx) => presentRelease(await create(tx, caller, { name: body.name, components })));
};
