/** Domain values → their wire forms. */
import { type Actor, formatActor, toRfc3339 } from '@stella/domain';

export function presentActor(actor: Actor): { kind: Actor['kind']; id: string; name: string } {
  return { kind: actor.kind, id: actor.kind === 'system' ? actor.name : actor.id, name: formatActor(actor) };
}

export function presentInstant(instantMs: number | null): string | null {
  return instantMs === null ? null : toRfc3339(instantMs);
}
