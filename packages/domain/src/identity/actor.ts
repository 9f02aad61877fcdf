/** Who or what causes an event. */
import type { AutomationId, PersonId, WorkerId } from '../values/ids.ts';

/** As recorded with events and requests: enough to tell a year later who it was. Never holds a secret. */
export type Actor =
  | { readonly kind: 'person'; readonly id: PersonId; readonly subject: string }
  | {
      readonly kind: 'automation';
      readonly id: AutomationId;
      readonly name: string;
      /** The person who minted its token: the automation counts as that person wherever two are wanted. */
      readonly personId: PersonId;
    }
  | { readonly kind: 'worker'; readonly id: WorkerId }
  | { readonly kind: 'system'; readonly name: string };

/** The person an actor counts as; null for workers and the system. */
export function personOf(actor: Actor): PersonId | null {
  if (actor.kind === 'person') return actor.id;
  return actor.kind === 'automation' ? actor.personId : null;
}

/** For people: `alice`, `automation ci`, `worker wrk_…`. */
export function formatActor(actor: Actor): string {
  switch (actor.kind) {
    case 'person':
      return actor.subject;
    case 'automation':
      return `automation ${actor.name}`;
    case 'worker':
      return `worker ${actor.id}`;
    case 'system':
      return actor.name;
  }
}
