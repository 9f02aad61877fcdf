/** What really runs: the container of that name, and the image that it was started from. */
import type { Digest } from '@stella/domain';
import type { DockerEngine, EngineContainer } from '../../ports/docker-engine.ts';
import { labelOf, placeLabels, type TargetPlace } from './container-names.ts';
import { whyNotRunning } from './container-health.ts';
import { digestOfImage } from './ensure-image.ts';

export interface Seen {
  /** Null when nothing runs there that came from a registry. */
  readonly digest: Digest | null;
  readonly container: EngineContainer | null;
  /** Why it is not well, however healthy it may be; empty when nothing is wrong. */
  readonly message: string;
}

/** A label says what was promised, and is never believed: the image tells which artifact it is of. */
export async function lookAtContainer(engine: DockerEngine, place: TargetPlace): Promise<Seen> {
  const container = await engine.inspect(place.container);
  if (!container) return { digest: null, container, message: `there is no container ${place.container}` };
  const stopped = whyNotRunning(container);
  if (container.state === 'created') return { digest: null, container, message: stopped ?? '' };
  const image = await engine.findImage(container.imageId);
  const digest = image ? digestOfImage(image, labelOf(container, 'digest')) : null;
  if (digest === null) {
    const what = image ? 'came from no registry' : 'is gone from the engine';
    return { digest, container, message: `container ${container.name} runs image ${container.imageId}, which ${what}` };
  }
  if (stopped !== null) return { digest, container, message: stopped };
  return { digest, container, message: await strayContainer(engine, place, container) };
}

/** Another container of the same target that runs would serve beside what was promised. */
async function strayContainer(engine: DockerEngine, place: TargetPlace, main: EngineContainer): Promise<string> {
  for (const id of await engine.list(placeLabels(place))) {
    const other = id === main.id ? null : await engine.inspect(id);
    if (other?.state === 'running') return `container ${other.name} of this target runs beside ${main.name}`;
  }
  return '';
}
