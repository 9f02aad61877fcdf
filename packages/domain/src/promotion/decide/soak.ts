/**
 * How a soak stands: since when the release runs whole and sound in every place that it shall soak in, and until when it
 * has to. A place is sound while no look finds one of the release's targets otherwise (`soundness.ts`).
 */
import type { SoakGateDefinition } from '../../environment/environment-definition.ts';
import { breakWords, endsOfBreaks, type ObservedBreak } from '../../environment/soundness.ts';
import type { InstantMs } from '../../values/instant.ts';
import { runsWholeSinceMs } from '../scope.ts';
import type { PromotionSnapshot } from '../snapshot.ts';

/** So many broken targets tell what is wrong. */
const BREAKS_TOLD_MAX = 3;

export interface SoakStanding {
  readonly isOver: boolean;
  /** When it will be over; null while a place does not run the release whole, or is not sound. */
  readonly dueAtMs: InstantMs | null;
  readonly message: string;
  /** Where it runs whole: breaks that last. */
  readonly breaks: readonly ObservedBreak[];
}

export function lookAtSoak(
  { environments, durationMs }: SoakGateDefinition,
  { promotion, release, predecessors }: Pick<PromotionSnapshot, 'promotion' | 'release' | 'predecessors'>,
  nowMs: InstantMs,
): SoakStanding {
  // In the order of the definition, so that the same standing is told in the same words.
  const places = environments.flatMap((name) => predecessors.find((one) => one.name === name) ?? []);
  const sinceMs = places.map((one) =>
    promotion.kind === 'deploy' ? one.artifactsSinceMs : runsWholeSinceMs(one, release),
  );
  const missing = places.filter((_, index) => sinceMs[index] === null);
  if (missing.length > 0 || places.length < environments.length) {
    const message = `does not run whole in ${missing.map((one) => one.name).join(', ')}`;
    return { isOver: false, dueAtMs: null, message, breaks: [] };
  }
  const names = release.components.map(({ name }) => name);
  const ends = places.flatMap((place) => endsOfBreaks(place, names));
  const breaks = ends.flatMap(({ one, untilMs }) => (untilMs === null ? [one] : []));
  if (breaks.length > 0) return { isOver: false, dueAtMs: null, message: wordsOf(breaks), breaks };
  const soundMs = ends.map(({ untilMs }) => untilMs ?? 0);
  const dueAtMs = Math.max(...sinceMs.map((atMs) => atMs ?? 0), ...soundMs) + durationMs;
  const where = environments.join(', ');
  return nowMs >= dueAtMs
    ? { isOver: true, dueAtMs, message: `ran whole in ${where} for long enough`, breaks }
    : { isOver: false, dueAtMs, message: `soaks in ${where}`, breaks };
}

function wordsOf(breaks: readonly ObservedBreak[]): string {
  const told = breaks
    .slice(0, BREAKS_TOLD_MAX)
    .map((one) => `the soak in ${one.environment} was broken: ${breakWords(one)}`);
  const more = breaks.length - told.length;
  return `${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
