/**
 * All locks of a promotion at once: its environment exclusively, or its components of it, and its artifacts shared, under
 * the fence drawn for it.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { LockMode } from '../promotion.ts';
import { placesOf } from '../scope.ts';
import type { EnvironmentGuard } from '../snapshot.ts';
import { addEvent, type Draft } from './draft.ts';
import { waitersAhead } from './queue.ts';
import { startedQuotas } from './quotas.ts';

/** Nobody holds the environment, and nobody goes before it in the queue. */
export function isItsTurn(draft: Draft, guard: EnvironmentGuard): boolean {
  const isFree = guard.holder === null || isPlanted('lock.taken_while_held');
  return isFree && waitersAhead(draft, guard.waiters).length === 0;
}

function wantedPlaces({ environment, snapshot }: Draft): readonly string[] {
  const places = placesOf(environment, snapshot.release);
  return isPlanted('lock.component_missing') ? places.slice(0, 1) : places;
}

/** When it is its turn only. Answers how many were taken. */
export function takeLocks(draft: Draft, guard: EnvironmentGuard): number {
  const { nowMs, ids } = draft.context;
  const resources: [string, LockMode][] = [
    ...wantedPlaces(draft).map((place): [string, LockMode] => [
      place,
      isPlanted('lock.environment_not_exclusive') ? 'shared' : 'exclusive',
    ]),
    ...[...new Set(draft.snapshot.release.components.map((component) => component.digest))].map(
      (digest): [string, LockMode] => [`artifact:${digest}`, 'shared'],
    ),
  ];
  const wanted = isPlanted('lock.artifact_ignored') ? resources.slice(0, 1) : resources;
  for (const [resource, mode] of wanted) {
    const lock = {
      id: ids.next('lck'),
      resource,
      mode,
      promotionId: draft.promotion.id,
      fence: guard.fence,
      acquiredAtMs: nowMs,
    };
    draft.locks.push(lock);
    draft.takenLocks.push(lock);
  }
  const first = draft.takenLocks[0];
  addEvent(
    draft,
    'lock.acquired',
    {
      resources: resources.map(([resource]) => resource),
      fence: { ...guard.fence },
      ...startedQuotas(draft, guard),
    },
    first?.id,
  );
  return resources.length;
}
