/** Every image of a project on its engine, before the fence: an image that is there changes nothing that runs. */
import { composeMap, type ComposeTargetDefinition, type ReleaseComponent } from '@stella/domain';
import type { DockerEngine } from '../../ports/docker-engine.ts';
import { ensureImage, type ImageDeps, pullByDigest } from '../docker/ensure-image.ts';
import type { CallScope } from '../call-scope.ts';

/** Answers, for the trace, where each component came from. */
export async function ensureImages(
  engine: DockerEngine,
  deps: ImageDeps,
  { definition, parts }: { readonly definition: ComposeTargetDefinition; readonly parts: readonly ReleaseComponent[] },
  scope: CallScope,
): Promise<string> {
  const words: string[] = [];
  for (const component of parts) {
    scope.check();
    const ready = await ensureImage(engine, deps, { target: definition.name, component }, scope.signal);
    words.push(`${component.name}: ${ready.words}`);
  }
  for (const service of Object.values(composeMap(definition.compose['services']))) {
    const { image } = composeMap(service);
    if (typeof image !== 'string') continue;
    scope.check();
    await ensurePinned(engine, deps, { target: definition.name, image });
  }
  return words.join('; ');
}

/** `registry/repository@sha256:…`, as the definition has it. */
async function ensurePinned(
  engine: DockerEngine,
  deps: ImageDeps,
  { target, image }: { readonly target: string; readonly image: string },
): Promise<void> {
  if (await engine.findImage(image)) return;
  const [repository = '', digest = ''] = image.split('@');
  const [registry = ''] = repository.split('/');
  await pullByDigest(engine, deps, { target, repository, digest, registry });
}
