/** What really runs: the container of that name, and the image that it was started from. */
import type { Digest } from '@stella/domain';
import type { DockerEngine, EngineContainer } from '../../ports/docker-engine.ts';
import { labelOf, type TargetPlace } from './container-names.ts';
import { whyNotRunning } from './container-health.ts';
import { digestOfImage } from './ensure-image.ts';
import { findContainers } from './switch-container.ts';

export interface Seen {
  /** Null when nothing runs there that came from a registry. */
  readonly digest: Digest | null;
  readonly container: EngineContainer | null;
  /** Why it is not well, however healthy it may be; empty when nothing is wrong. */
  readonly message: string;
}

/**
 * A label says what was promised, and is never believed: the image tells which artifact it is of. Another container of the
 * target that runs would serve beside what was promised.
 */
export async function lookAtContainer(engine: DockerEngine, place: TargetPlace): Promise<Seen> {
  const { main: container, others } = await findContainers(engine, place);
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
  const stray = others.find(({ state }) => state === 'running');
  const message = stray ? `container ${stray.name} of this target runs beside ${container.name}` : '';
  return { digest, container, message };
}
