/**
 * Breadth-first search over every state that the real rules can reach in a small closed world. A state is kept as 96 bits
 * of its hash: two that share them would be taken for one, which among ten million is less likely than one in a million.
 */
import { createHash } from 'node:crypto';
import {
  decide,
  planPromotion,
  type EnvironmentDefinition,
  type PromotionSnapshot,
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
import { judge } from './judge.ts';
import { type DecideFunction, movesOf } from './moves.ts';
import { makeIdSource, NOW_MS, type Part, type Stage, tidy, type World } from './world.ts';

/** 96 bits, six in each. */
const HASH_CHARACTERS = 16;

export interface SearchPlan {
  /** Both promotions in one environment, or one behind the other. */
  readonly kind: 'contention' | 'row';
  readonly crashes: number;
  /** Of the two in `prod`, an approval and a service. */
  readonly gates: number;
  readonly skips: number;
  readonly statesMax: number;
  readonly timeoutMs?: number;
  readonly decideWith?: DecideFunction;
  readonly onProgress?: (report: SearchReport) => void;
}

export interface SearchReport {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Every state that can be reached was. */
  readonly closed: boolean;
  readonly violations: number;
  /** The first broken promise, and the moves that lead there. */
  readonly first: { readonly broken: string; readonly moves: readonly string[] } | null;
}

interface Visit {
  readonly world: World;
  readonly before: Visit | null;
  readonly move: string;
}

export function search(plan: SearchPlan): SearchReport {
  const { stage, world } = makeStart(plan);
  const decideWith = remembering(plan.decideWith ?? decide);
  const seen = new Set([keyOf(world)]);
  const startedAtMs = performance.now();
  let layer: Visit[] = [{ world, before: null, move: 'start' }];
  let transitions = 0;
  let depth = 0;
  const report = (closed: boolean, first: SearchReport['first'] = null): SearchReport => ({
    states: seen.size,
    transitions,
    depth,
    closed,
    violations: first ? 1 : 0,
    first,
  });
  while (layer.length > 0) {
    const next: Visit[] = [];
    for (const visit of layer) {
      for (const move of movesOf(stage, visit.world, decideWith)) {
        transitions += 1;
        const key = keyOf(move.world);
        if (seen.has(key)) continue;
        seen.add(key);
        const broken = judge(stage, visit.world, move);
        const reached: Visit = { world: move.world, before: visit, move: `${move.name} ${move.promotionIndex}` };
        if (broken) return report(false, { broken, moves: movesTo(reached) });
        next.push(reached);
      }
      if (seen.size >= plan.statesMax) return report(false);
      if (performance.now() - startedAtMs > (plan.timeoutMs ?? Number.POSITIVE_INFINITY)) return report(false);
    }
    layer = next;
    depth += 1;
    plan.onProgress?.(report(false));
  }
  return report(true);
}

function movesTo(visit: Visit): string[] {
  const moves: string[] = [];
  for (let at: Visit | null = visit; at; at = at.before) moves.push(at.move);
  return moves.reverse();
}

function keyOf(world: World): string {
  const parts = world.parts.map(textOfPart).join();
  const rest = JSON.stringify([world.places, world.debts, world.crashesLeft, world.skipsLeft]);
  return createHash('sha1').update(parts).update(rest).digest('base64').slice(0, HASH_CHARACTERS);
}

const texts = new WeakMap<Part, string>();

/** Without the definition, which never changes; a part that a move leaves alone is written down once. */
function textOfPart(part: Part): string {
  const known = texts.get(part);
  if (known !== undefined) return known;
  const { definition: _frozen, ...row } = part.promotion;
  const text = JSON.stringify({ ...part, promotion: row });
  texts.set(part, text);
  return text;
}

/** Same input, same answer: what was asked before is not computed again. */
function remembering(decideWith: DecideFunction): DecideFunction {
  const known = new Map<string, ReturnType<DecideFunction>>();
  return (snapshot, context, actor, ended) => {
    const { release, settings: _same, promotion, ...rest } = snapshot;
    const { definition: _frozen, ...row } = promotion;
    const asked = [row, rest, release.id, context.guard, context.isTakeover, ended];
    const key = createHash('sha1').update(JSON.stringify(asked)).digest('base64');
    const found = known.get(key) ?? decideWith(snapshot, context, actor, ended);
    known.set(key, found);
    if (known.size > REMEMBERED_MAX) known.clear();
    return found;
  };
}

/** Decisions kept; more would take the memory that the states need. */
const REMEMBERED_MAX = 200_000;

const GATES: EnvironmentDefinition['gates'] = [
  makeHttpGate({ retryCount: 0, skip: 'allowed' }),
  makeApprovalGate({ count: 1, skip: 'forbidden' }),
];

/** Release 1 runs everywhere; 2 and 3 are on their way. */
function makeStart({ kind, crashes, skips, gates }: SearchPlan): { stage: Stage; world: World } {
  const releases = [1, 2, 3].map((n) => makeRelease(n));
  const dev = makeDefinition({ name: 'dev', gates: kind === 'row' ? GATES.slice(0, 1) : [] });
  const prod = makeDefinition({
    name: 'prod',
    promotesFrom: kind === 'row' ? ['dev'] : [],
    gates: GATES.slice(0, gates),
  });
  const [first, second, third] = releases;
  if (!first || !second || !third) throw new RangeError('no releases');
  const statuses = [
    kind === 'row' ? makeWholeEnvironment('dev', second, NOW_MS) : makeEmptyEnvironment('dev'),
    makeWholeEnvironment('prod', first, NOW_MS),
  ];
  const stage: Stage = {
    releases: new Map(releases.map((one) => [one.id, one])),
    definitions: new Map([dev, prod].map((one) => [one.name, one])),
    settings: STANDARD_SETTINGS,
    workerCount: 3,
  };
  const place = (status: (typeof statuses)[number]): World['places'][number] => ({
    status,
    accepted: null,
    outcome: null,
    runs: status.releaseId,
    loose: [],
    lastFence: 0,
    lastTicket: 0,
  });
  const empty: World = { parts: [], places: statuses.map(place), debts: [], crashesLeft: crashes, skipsLeft: skips };
  const plans =
    kind === 'row'
      ? [
          { release: third, definition: dev },
          { release: second, definition: prod },
        ]
      : [
          { release: second, definition: prod },
          { release: third, definition: prod },
        ];
  return { stage, world: { ...empty, parts: plans.map((one, index) => born(stage, empty, { ...one, index })) } };
}

function born(
  { settings }: Stage,
  { places }: World,
  {
    release,
    definition,
    index,
  }: { release: PromotionSnapshot['release']; definition: EnvironmentDefinition; index: number },
): Part {
  const environment = places.find((one) => one.status.name === definition.name)?.status ?? makeEmptyEnvironment('');
  const predecessors = places
    .filter((one) => definition.promotesFrom.includes(one.status.name))
    .map((one) => ({ ...one.status, completedAtMs: NOW_MS }));
  const { promotion, steps, newAttempts } = planPromotion(
    {
      release,
      definition,
      environment,
      base: null,
      predecessors,
      priority: 'normal',
      requestedBy: makePerson('alice'),
      retryOf: null,
      settings,
    },
    { nowMs: NOW_MS, ids: makeIdSource() },
  );
  // Named as every source names ids.
  const id = `prm_${index}` as typeof promotion.id;
  const attempts = newAttempts.map((one) => ({ ...one, operationId: one.operationId.replace(promotion.id, id) }));
  return tidy({
    promotion: { ...promotion, id },
    steps,
    gateRuns: [],
    attempts,
    approvals: [],
    skips: [],
    locks: [],
    run: null,
  });
}
