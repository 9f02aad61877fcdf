/** What may come of an operation at a target, by the fence rules that targets have in production. */
import type { Attempt, AttemptOutcome, AttemptResult, Release } from '@stella/domain';
import { decideOperation, decideSeal } from '../../src/targets/fence-rules.ts';
import { NOW_MS, type Part, type Place, releaseOf, type Run, type Stage } from './world.ts';

export interface End {
  readonly result: AttemptResult;
  readonly place: Place;
  readonly broken: string | null;
}

export function answer(outcome: AttemptOutcome): AttemptResult {
  return { outcome, code: '', message: '', output: '', digest: null, sealed: null, endedAtMs: NOW_MS };
}

/** The release that an operation brings. */
export function releaseBy({ promotion }: Part, { status }: Place, { purpose }: Attempt): Release['id'] {
  return purpose === 'deploy' ? promotion.releaseId : (status.releaseId ?? promotion.releaseId);
}

export function operationEnds(place: Place, attempt: Attempt, release: Release['id']): End[] {
  const { operationId, fence } = attempt;
  const lost = { operationId, fence: fence?.n ?? 0, release, hasArrived: false };
  // The answer is lost: the operation comes there at any time to come, or never.
  const unheard: End[] = [{ result: answer('timeout'), place: withLoose(place, lost), broken: null }];
  const arrived = arrive(place, lost);
  if (arrived.kind === 'refused') return [{ result: answer('refused'), place, broken: null }, ...unheard];
  if (arrived.kind === 'known' && place.outcome !== null) {
    return [{ result: answer(place.outcome), place, broken: null }, ...unheard];
  }
  const { broken } = arrived;
  return [
    { result: answer('succeeded'), place: { ...arrived.place, runs: release, outcome: 'succeeded' }, broken },
    { result: answer('failed'), place: { ...arrived.place, outcome: 'failed' }, broken },
    ...unheard,
  ];
}

type Arrival =
  | { readonly kind: 'refused' }
  | { readonly kind: 'accepted' | 'known'; place: Place; broken: string | null };

function arrive(place: Place, { operationId, fence: n }: Place['loose'][number]): Arrival {
  const fence = { epoch: 1, n };
  const { kind } = decideOperation(place.accepted, fence, operationId);
  if (kind === 'refused') return { kind };
  if (kind === 'known') return { kind, place, broken: null };
  const broken = n < place.highest ? `S4: an operation with fence ${n} was accepted after ${place.highest}` : null;
  const accepted = { fence, operationId };
  return { kind, place: { ...place, accepted, outcome: null, highest: Math.max(n, place.highest) }, broken };
}

function withLoose(place: Place, one: Place['loose'][number]): Place {
  const others = place.loose.filter((other) => other.operationId !== one.operationId);
  return { ...place, loose: [...others, one].sort((a, b) => (a.operationId < b.operationId ? -1 : 1)) };
}

export function sealEnd(stage: Stage, place: Place, { fence }: Attempt): End {
  const n = fence?.n ?? 0;
  if (decideSeal(place.accepted, { epoch: 1, n }).kind === 'refused') {
    return { result: answer('refused'), place, broken: null };
  }
  const { outcome } = place;
  const digest =
    outcome === 'succeeded' && place.runs ? (releaseOf(stage, place.runs).components[0]?.digest ?? null) : null;
  const told = { operationId: place.accepted?.operationId ?? null, outcome };
  return { result: { ...answer('succeeded'), digest, sealed: told }, place: sealed(place, n), broken: null };
}

/** As it stands after it kept that seal; unchanged when it knows something newer. */
export function sealed(place: Place, n: number): Place {
  const fence = { epoch: 1, n };
  if (decideSeal(place.accepted, fence).kind !== 'stored') return place;
  return { ...place, accepted: { fence, operationId: null }, outcome: null, highest: Math.max(n, place.highest) };
}

/** Without the operations that can do nothing there any more: the target will refuse them, or has let go of them. */
export function settled(place: Place): Place {
  const loose = place.loose.filter((one) =>
    one.hasArrived ? isStored(place, one) : arrive(place, one).kind === 'accepted',
  );
  return loose.length === place.loose.length ? place : { ...place, loose };
}

function isStored({ accepted, outcome }: Place, { operationId }: Place['loose'][number]): boolean {
  return accepted?.operationId === operationId && outcome === null;
}

/** What an operation does that nobody waits for: it comes there; and it switches, unless something newer came meanwhile. */
export function lateMoves(place: Place): { readonly place: Place; readonly broken: string | null }[] {
  return place.loose.map((one) => {
    const loose = place.loose.filter((other) => other !== one);
    const without = { ...place, loose };
    if (!one.hasArrived) {
      const arrived = arrive(without, one);
      if (arrived.kind !== 'accepted') return { place: without, broken: null };
      return { place: settled(withLoose(arrived.place, { ...one, hasArrived: true })), broken: arrived.broken };
    }
    if (!isStored(place, one)) return { place: without, broken: null };
    const broken =
      one.fence < place.highest ? `S4: an operation with fence ${one.fence} switched after ${place.highest}` : null;
    return { place: { ...without, runs: one.release, outcome: 'succeeded' as const }, broken };
  });
}

/** What a worker had under way at targets comes there at any time to come, or never. */
export function letLoose(place: Place, part: Part, { underWay }: Run): Place {
  let next = place;
  for (const attempt of part.attempts) {
    const isOperation = attempt.purpose === 'deploy' || attempt.purpose === 'rollback';
    if (!isOperation || !underWay.includes(attempt.operationId)) continue;
    const { operationId, fence } = attempt;
    const release = releaseBy(part, place, attempt);
    next = withLoose(next, { operationId, fence: fence?.n ?? 0, release, hasArrived: false });
  }
  return next;
}
