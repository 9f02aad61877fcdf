/** How it all begins: release 1 runs everywhere, 2 and 3 are on their way. */
import {
  type EnvironmentDefinition,
  decide,
  planPromotion,
  type PromotionSnapshot,
  type Settings,
  STANDARD_SETTINGS,
} from '@stella/domain';
import {
  makeApprovalGate,
  makeDefinition,
  makeEmptyEnvironment,
  makeHttpGate,
  makePerson,
  makeRelease,
  makeWholeEnvironment,
} from '@stella/testkit';
import { canonicalPart, endOf } from './canonical.ts';
import { movesOf } from './moves.ts';
import { recordOf } from './rules.ts';
import type { Start } from './universe.ts';
import { makeIdSource, NOW_MS, type Other, type Part, type Place, type Stage } from './world.ts';

export interface StartPlan {
  /** Both promotions in one environment, or one behind the other. */
  readonly kind: 'contention' | 'row';
  readonly crashes: number;
  /** Of the two in `prod`, a service and an approval. */
  readonly gates: number;
  readonly skips: number;
  /** With one, the other is the one that brought what runs there, and it has ended; 2 without. */
  readonly promotions?: 1 | 2;
}

/**
 * All times are a few multiples of what the rules themselves have fixed (a look every 15 s), so that every deadline may come
 * before and after every other, and yet the moments are few.
 */
const BEAT_MS = 15_000;
const SETTINGS: Settings = {
  ...STANDARD_SETTINGS,
  'probe.timeout': BEAT_MS,
  'gates.holdFor': BEAT_MS,
  'locks.timeout': BEAT_MS,
  'skips.expireAfter': 2 * BEAT_MS,
  'queue.maxWait': 2 * BEAT_MS,
};
const GATES: EnvironmentDefinition['gates'] = [
  makeHttpGate({ retryCount: 0, skip: 'allowed', timeoutMs: BEAT_MS, validForMs: 2 * BEAT_MS }),
  makeApprovalGate({ count: 1, skip: 'forbidden', deadlineMs: 2 * BEAT_MS, validForMs: 2 * BEAT_MS }),
];

export function makeStart({ kind, crashes, skips, gates, promotions = 2 }: StartPlan): Start {
  const isRow = kind === 'row';
  const [first, second, third] = [makeRelease(1), makeRelease(2), makeRelease(3)];
  const deployDeadlineMs = 2 * BEAT_MS;
  const dev = makeDefinition({ name: 'dev', gates: isRow ? GATES.slice(0, 1) : [], deployDeadlineMs });
  const prod = makeDefinition({
    name: 'prod',
    promotesFrom: isRow ? ['dev'] : [],
    gates: GATES.slice(0, gates),
    deployDeadlineMs,
  });
  const bare: Stage = {
    releases: new Map([first, second, third].map((one) => [one.id, one])),
    settings: SETTINGS,
    past: [],
  };
  const ended = broughtBy(bare, prod, first);
  const past = [...(promotions === 1 ? [] : [ended]), ...(isRow ? [broughtBy(bare, dev, second)] : [])];
  const stage: Stage = { ...bare, past: past.map(recordOf) };
  const places: [Place, Place] = [
    placeOf(isRow ? makeWholeEnvironment('dev', second, endOf(0)) : makeEmptyEnvironment('dev')),
    placeOf(makeWholeEnvironment('prod', first, endOf(0))),
  ];
  const born = (release: PromotionSnapshot['release'], definition: EnvironmentDefinition, name: string): Part =>
    bornInto(stage, places, { release, definition, name });
  const one = isRow ? born(third, dev, 'prm_0') : born(third, prod, 'prm_0');
  const parts: [Part, Part] = [one, promotions === 1 ? ended : born(second, prod, 'prm_1')];
  return { stage, parts, places, isRow, crashes, skips };
}

function placeOf(status: Place['status']): Place {
  return {
    status,
    accepted: null,
    outcome: null,
    highest: 0,
    runs: status.releaseId,
    loose: [],
    debts: [],
    lastFence: 0,
    lastTicket: 0,
  };
}

const NOBODY: Other = { id: 'prm_none' as Other['id'], holds: null, ticket: null, hasEnded: false };
const GOOD = /^(?:claim|tick|precheck|approve|.*:(?:succeeded|passed))$/;

/** The rows of the promotion that brought a release there, by the way on which all goes well. */
function broughtBy(stage: Stage, definition: EnvironmentDefinition, release: PromotionSnapshot['release']): Part {
  let place: Place = placeOf(makeEmptyEnvironment(definition.name));
  const before: Place = placeOf(makeWholeEnvironment('dev', release, endOf(0)));
  const predecessor = definition.promotesFrom.length > 0 ? before : null;
  const places = predecessor ? [predecessor, place] : [place];
  let part = bornInto(stage, places, { release, definition, name: `prm_past.${definition.name}` });
  while (part.promotion.endedAtMs === null) {
    const moves = movesOf({ stage, part, place, predecessor, other: NOBODY, maySkip: false }, decide);
    const next = moves.find((move) => GOOD.test(move.name));
    if (!next) throw new RangeError(`nothing good can come of ${part.promotion.step}`);
    ({ part, place } = next);
  }
  return canonicalPart(part, 0);
}

function bornInto(
  { settings }: Stage,
  places: readonly Place[],
  {
    release,
    definition,
    name,
  }: { release: PromotionSnapshot['release']; definition: EnvironmentDefinition; name: string },
): Part {
  const environment = places.find((one) => one.status.name === definition.name)?.status ?? makeEmptyEnvironment('');
  const predecessors = places
    .filter((one) => definition.promotesFrom.includes(one.status.name))
    .map((one) => ({ ...one.status, completedAtMs: NOW_MS, artifactsSinceMs: null, breaks: [] }));
  const plan = {
    release,
    definition,
    environment,
    base: null,
    predecessors,
    priority: 'normal' as const,
    requestedBy: makePerson('alice'),
    retryOf: null,
    settings,
  };
  const { promotion, steps, newAttempts } = planPromotion(plan, { nowMs: NOW_MS, ids: makeIdSource() });
  // Named as every source names ids.
  const id = name as typeof promotion.id;
  const attempts = newAttempts.map((one) => ({ ...one, operationId: one.operationId.replace(promotion.id, id) }));
  const rows = { steps, gateRuns: [], attempts, approvals: [], skips: [], locks: [], run: null };
  return canonicalPart({ promotion: { ...promotion, id }, ...rows }, 0);
}
