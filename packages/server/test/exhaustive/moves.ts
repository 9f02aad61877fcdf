/**
 * Everything that may happen next in a world: claims, ticks with whatever comes of an effect, crashes, acts of people,
 * late switches at targets, and time. Workers are alike, so only who works together on what is told apart. A crash and its
 * burial are one move, for nobody can tell them apart; an effect's end and the tick that records it are one, for a crash
 * in between is the crash after which the effect had its way.
 */
import {
  type Attempt,
  type AttemptOutcome,
  type AttemptResult,
  cancelPromotion,
  type decide,
  decideApproval,
  type Decision,
  decideSkip,
  isAppError,
  isTerminal,
  type Principal,
  type Release,
  requestSkip,
} from '@stella/domain';
import { makePrincipal } from '@stella/testkit';
import { decideOperation, decideSeal } from '../../src/targets/fence-rules.ts';
import {
  contextOf,
  dueNow,
  guardOf,
  NOW_MS,
  type Part,
  partOf,
  type Place,
  placeOf,
  releaseOf,
  type Run,
  snapshotOf,
  type Stage,
  tidy,
  withPart,
  withPlace,
  type World,
  writeDecision,
} from './world.ts';

export interface Move {
  readonly name: string;
  readonly world: World;
  /** What was decided, for whoever judges it; null when nobody decided. */
  readonly decision: Decision | null;
  readonly promotionIndex: number;
  /** What the target did with an older fence, if it did. */
  readonly broken: string | null;
}

export type DecideFunction = typeof decide;

const BOB = makePrincipal('bob', 'approver@*', 'operator@*');
const CAROL = makePrincipal('carol', 'approver@*', 'operator@*');
const ACTOR = { kind: 'system', name: 'search' } as const;

export function movesOf(stage: Stage, world: World, decideWith: DecideFunction): Move[] {
  const moves: Move[] = [];
  world.parts.forEach((part, index) => {
    if (isTerminal(part.promotion.status)) return;
    moves.push(...claims(stage, world, index));
    if (part.run) moves.push(...works(stage, world, { index, decideWith }));
    moves.push(...acts(stage, world, index));
  });
  moves.push(...crashes(world), ...lateSwitches(stage, world), ...passingOfTime(world));
  return moves;
}

function quiet(name: string, world: World, promotionIndex = -1): Move {
  return { name, world, decision: null, promotionIndex, broken: null };
}

/** By any worker that is not there yet, or by any that works already: the first of those without work stands for all. */
function claims({ workerCount }: Stage, world: World, index: number): Move[] {
  const part = partOf(world, index);
  if (part.run || (part.promotion.nextActionAtMs ?? 0) > NOW_MS) return [];
  const busy = [...new Set(world.parts.flatMap((one) => (one.run ? [one.run.worker] : [])))];
  const idle = Array.from({ length: workerCount }, (_, n) => n).find((n) => !busy.includes(n));
  const isTakeover = part.promotion.workerId !== null;
  return [...busy, ...(idle === undefined ? [] : [idle])].map((worker) => {
    const run: Run = { worker, isTakeover, isFresh: true, underWay: [] };
    // Named as every source names ids.
    const workerId = `wrk_${worker}` as Part['promotion']['workerId'];
    const promotion = { ...part.promotion, workerId, nextActionAtMs: NOW_MS + 60_000 };
    return quiet('claim', withPart(world, index, { ...part, promotion, run }), index);
  });
}

interface Work {
  readonly index: number;
  readonly decideWith: DecideFunction;
}

function works(stage: Stage, world: World, work: Work): Move[] {
  const part = partOf(world, work.index);
  const { run } = part;
  if (!run) return [];
  const isDue = (part.promotion.nextActionAtMs ?? 0) <= NOW_MS;
  const moves = run.isFresh || isDue ? [tick(stage, world, work, { name: 'tick', results: new Map() })] : [];
  const probes = part.attempts.filter(
    (one) => run.underWay.includes(one.operationId) && one.purpose.startsWith('precheck'),
  );
  if (probes.length > 0) {
    const results = new Map(probes.map((one) => [one.operationId, answer('succeeded')]));
    moves.push(tick(stage, world, work, { name: 'precheck', results }));
  }
  for (const attempt of part.attempts) {
    if (!run.underWay.includes(attempt.operationId) || attempt.purpose.startsWith('precheck')) continue;
    for (const end of endsOf(stage, world, part, attempt)) {
      const results = new Map([[attempt.operationId, end.result]]);
      const after = { ...world, places: end.place ? withPlace(world, end.place) : world.places };
      const name = `${attempt.purpose}:${end.result.outcome}`;
      moves.push({ ...tick(stage, after, work, { name, results }), broken: end.broken ?? null });
    }
  }
  return moves;
}

/** One transaction: outcomes in, decision out, again under the guard when it asks for it. */
function tick(
  stage: Stage,
  world: World,
  { index, decideWith }: Work,
  { name, results }: { name: string; results: ReadonlyMap<string, AttemptResult> },
): Move {
  const part = partOf(world, index);
  const attempts = part.attempts.map((one) =>
    one.result === null ? { ...one, result: results.get(one.operationId) ?? null } : one,
  );
  const recorded = withPart(world, index, { ...part, attempts });
  const shown = partOf(recorded, index);
  const snapshot = snapshotOf(stage, recorded, shown);
  const isTakeover = part.run?.isTakeover ?? false;
  const ended = [...results.keys()];
  let decision = decideWith(snapshot, contextOf(null, isTakeover), ACTOR, ended);
  if (decision.needsGuard) {
    decision = decideWith(snapshot, contextOf(guardOf(recorded, shown), isTakeover), ACTOR, ended);
  }
  const written = writeDecision(recorded, index, decision);
  const isKept = decision.promotion.workerId !== null;
  const run: Run | null =
    isKept && part.run
      ? {
          worker: part.run.worker,
          isTakeover: false,
          isFresh: false,
          underWay: decision.effects.map((one) => one.operationId),
        }
      : null;
  const after = withPart(written, index, { ...partOf(written, index), run });
  return { name, world: after, decision, promotionIndex: index, broken: null };
}

interface End {
  readonly result: AttemptResult;
  readonly place?: Place;
  readonly broken?: string | null;
}

function endsOf(stage: Stage, world: World, part: Part, attempt: Attempt): End[] {
  const place = placeOf(world, part.promotion.environment);
  switch (attempt.purpose) {
    case 'gate':
      return (['passed', 'failed', 'error'] as const).map((outcome) => ({ result: answer(outcome) }));
    case 'verify':
    case 'rollback_verify': {
      const running = place.runs === null ? null : (releaseOf(stage, place.runs).components[0]?.digest ?? null);
      const seen = running === null ? answer('failed') : { ...answer('succeeded'), digest: running };
      return [{ result: seen }, { result: answer('error') }];
    }
    case 'seal':
      return [sealEnd(stage, place, attempt), { result: answer('error') }];
    case 'deploy':
      return operationEnds(place, attempt, part.promotion.releaseId);
    case 'rollback':
      return operationEnds(place, attempt, place.status.releaseId ?? part.promotion.releaseId);
    case 'precheck_target':
    case 'precheck_artifact':
    case 'preflight_target':
      return [{ result: answer('succeeded') }, { result: answer('failed') }];
  }
}

function operationEnds(place: Place, { operationId, fence }: Attempt, release: Release['id']): End[] {
  const n = fence?.n ?? 0;
  const accepting = decideOperation(place.accepted, { epoch: 1, n }, operationId);
  if (accepting.kind === 'refused') return [{ result: answer('refused') }];
  if (accepting.kind === 'known' && place.outcome !== null) return [{ result: answer(place.outcome) }];
  const accepted: Place = { ...place, accepted: { fence: { epoch: 1, n }, operationId }, outcome: null };
  const loose = [
    ...accepted.loose.filter((one) => one.operationId !== operationId),
    { operationId, fence: n, release },
  ];
  return [
    { result: answer('succeeded'), ...switched(accepted, { fence: n, release }) },
    { result: answer('failed'), place: { ...accepted, outcome: 'failed' } },
    // The answer is lost: it never came there, or goes on without us.
    { result: answer('timeout') },
    { result: answer('timeout'), place: { ...accepted, loose } },
  ];
}

function switched(place: Place, { fence, release }: { fence: number; release: Release['id'] }): Omit<End, 'result'> {
  const isOld = (place.accepted?.fence.n ?? 0) > fence;
  return {
    place: { ...place, runs: release, outcome: 'succeeded' },
    broken: isOld ? `S4: an operation with fence ${fence} switched after ${place.accepted?.fence.n}` : null,
  };
}

function sealEnd(stage: Stage, place: Place, { fence }: Attempt): End {
  const n = fence?.n ?? 0;
  if (decideSeal(place.accepted, { epoch: 1, n }).kind === 'refused') return { result: answer('refused') };
  const { outcome } = place;
  const digest =
    outcome === 'succeeded' && place.runs ? (releaseOf(stage, place.runs).components[0]?.digest ?? null) : null;
  const sealed = { operationId: place.accepted?.operationId ?? null, outcome };
  const after: Place = { ...place, accepted: { fence: { epoch: 1, n }, operationId: null }, outcome: null };
  return { result: { ...answer('succeeded'), digest, sealed }, place: after };
}

/** An operation that nobody waits for switches, unless something newer was accepted: then it never will. */
function lateSwitches(_stage: Stage, world: World): Move[] {
  return world.places.flatMap((place) =>
    place.loose.map((one): Move => {
      const loose = place.loose.filter((other) => other !== one);
      const isStored = place.accepted?.operationId === one.operationId && place.outcome === null;
      const end = isStored ? switched({ ...place, loose }, one) : { place: { ...place, loose }, broken: null };
      const places = end.place ? withPlace(world, end.place) : world.places;
      return { ...quiet('late', { ...world, places }), broken: end.broken ?? null };
    }),
  );
}

/** The worker dies with all its promotions; its operations at targets had not begun, or go on without it. */
function crashes(world: World): Move[] {
  if (world.crashesLeft === 0) return [];
  const workers = [...new Set(world.parts.flatMap((one) => (one.run ? [one.run.worker] : [])))];
  return workers.flatMap((worker) =>
    [false, true].map((hasBegun) => {
      let next: World = { ...world, crashesLeft: world.crashesLeft - 1 };
      world.parts.forEach((part, index) => {
        if (part.run?.worker !== worker) return;
        if (hasBegun) next = beginAll(next, part, part.run);
        next = withPart(next, index, { ...dueNow(part), run: null });
      });
      return quiet(hasBegun ? 'crash:begun' : 'crash', next);
    }),
  );
}

function beginAll(world: World, part: Part, run: Run): World {
  let next = world;
  for (const attempt of part.attempts) {
    const isOperation = attempt.purpose === 'deploy' || attempt.purpose === 'rollback';
    if (!isOperation || !run.underWay.includes(attempt.operationId)) continue;
    const place = placeOf(next, part.promotion.environment);
    const release =
      attempt.purpose === 'deploy' ? part.promotion.releaseId : (place.status.releaseId ?? part.promotion.releaseId);
    const lost = operationEnds(place, attempt, release).find((end) => end.place && end.place.loose.length > 0);
    if (lost?.place) next = withPlaces(next, lost.place);
  }
  return next;
}

function withPlaces(world: World, place: Place): World {
  return { ...world, places: withPlace(world, place) };
}

type Command = (snapshot: Parameters<DecideFunction>[0]) => Decision;

function acts(stage: Stage, world: World, index: number): Move[] {
  const part = partOf(world, index);
  const approval =
    (decision: 'approved' | 'rejected', who: Principal): Command =>
    (snapshot) =>
      decideApproval(snapshot, contextOf(null, false), who, { decision, gate: null, reason: 'r' });
  const commands: [string, Command][] = [
    ['approve', approval('approved', BOB)],
    ['reject', approval('rejected', CAROL)],
  ];
  if (part.promotion.cancelRequestedAtMs === null) {
    commands.push(['cancel', (snapshot) => cancelPromotion(snapshot, contextOf(null, false), BOB, 'r')]);
  }
  if (world.skipsLeft > 0) {
    const gate = 'tests';
    commands.push(['skip', (before) => requestSkip(before, contextOf(null, false), BOB, { gate, reason: 'r' })]);
  }
  const skip = { decision: 'approved', gate: 'tests', reason: 'r' } as const;
  if (part.skips.length > 0) {
    commands.push(['skip:approve', (before) => decideSkip(before, contextOf(null, false), CAROL, skip)]);
  }
  return commands.flatMap(([name, command]) => act(stage, world, index, { name, command }));
}

function act(stage: Stage, world: World, index: number, { name, command }: { name: string; command: Command }): Move[] {
  const part = partOf(world, index);
  try {
    const decision = command(snapshotOf(stage, world, part));
    const skipsLeft = world.skipsLeft - (name === 'skip' ? 1 : 0);
    const after = { ...writeDecision(world, index, decision), skipsLeft };
    return [{ name, world: after, decision, promotionIndex: index, broken: null }];
  } catch (error) {
    if (isAppError(error)) return [];
    throw error;
  }
}

/** The next moment that anybody waits for. */
function passingOfTime(world: World): Move[] {
  const moments = world.parts.flatMap(({ promotion, gateRuns, attempts }) =>
    isTerminal(promotion.status)
      ? []
      : [
          promotion.nextActionAtMs,
          promotion.deployDeadlineAtMs,
          ...gateRuns.flatMap((run) => [run.validUntilMs, run.deadlineAtMs, run.heldUntilMs]),
          ...attempts.flatMap((one) => (one.result === null ? [one.deadlineAtMs] : [])),
        ],
  );
  const future = moments.filter((atMs) => atMs !== null && atMs > NOW_MS);
  if (future.length === 0) return [];
  const byMs = Math.min(...future.map(Number)) - NOW_MS;
  return [quiet('time', { ...world, parts: world.parts.map((part) => tidy(nearer(part, byMs))) })];
}

/** A moment that is over stays over: how long ago no rule asks. */
function nearer(part: Part, byMs: number): Part {
  const at = <T extends number | null>(atMs: T): T =>
    // Null stays null, a moment a moment.
    (atMs === null ? null : Math.max(NOW_MS, atMs - byMs)) as T;
  const { promotion } = part;
  const since = (atMs: number | null): number | null => (atMs === null ? null : atMs - byMs);
  return {
    ...part,
    promotion: {
      ...promotion,
      nextActionAtMs: at(promotion.nextActionAtMs),
      deployDeadlineAtMs: at(promotion.deployDeadlineAtMs),
    },
    steps: part.steps.map((one) => ({ ...one, startedAtMs: since(one.startedAtMs) })),
    gateRuns: part.gateRuns.map((one) => ({
      ...one,
      nextAttemptAtMs: at(one.nextAttemptAtMs),
      deadlineAtMs: at(one.deadlineAtMs),
      heldUntilMs: at(one.heldUntilMs),
      validUntilMs: at(one.validUntilMs),
    })),
    attempts: part.attempts.map((one) =>
      one.result === null ? { ...one, startedAtMs: one.startedAtMs - byMs, deadlineAtMs: at(one.deadlineAtMs) } : one,
    ),
    skips: part.skips.map((one) => ({ ...one, expiresAtMs: at(one.expiresAtMs) })),
  };
}

function answer(outcome: AttemptOutcome): AttemptResult {
  return { outcome, code: '', message: '', output: '', digest: null, sealed: null, endedAtMs: NOW_MS };
}
