/** How a soak stands: since when the release runs whole in every place that it shall soak in, and until when it has to. */
import type { SoakGateDefinition } from '../../environment/environment-definition.ts';
import type { InstantMs } from '../../values/instant.ts';
import { runsWholeSinceMs } from '../scope.ts';
import type { PromotionSnapshot } from '../snapshot.ts';

export interface SoakStanding {
  readonly isOver: boolean;
  /** When it will be over; null while a place does not run the release whole. */
  readonly dueAtMs: InstantMs | null;
  readonly message: string;
}

export function lookAtSoak(
  { environments, durationMs }: SoakGateDefinition,
  { promotion, release, predecessors }: Pick<PromotionSnapshot, 'promotion' | 'release' | 'predecessors'>,
  nowMs: InstantMs,
): SoakStanding {
  const places = predecessors.filter((one) => environments.includes(one.name));
  const sinceMs = places.map((one) =>
    promotion.kind === 'deploy' ? one.artifactsSinceMs : runsWholeSinceMs(one, release),
  );
  const missing = places.filter((_, index) => sinceMs[index] === null);
  if (missing.length > 0 || places.length < environments.length) {
    const message = `does not run whole in ${missing.map((one) => one.name).join(', ')}`;
    return { isOver: false, dueAtMs: null, message };
  }
  const dueAtMs = Math.max(...sinceMs.map((atMs) => atMs ?? 0)) + durationMs;
  const names = environments.join(', ');
  return nowMs >= dueAtMs
    ? { isOver: true, dueAtMs, message: `ran whole in ${names} for long enough` }
    : { isOver: false, dueAtMs, message: `soaks in ${names}` };
}
