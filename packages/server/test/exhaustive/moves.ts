/**
 * Everything that one promotion may do next, as its scene shows it: it is claimed, ticks with whatever comes of an effect,
 * or is asked something by people. A crash and its burial are one move, for nobody can tell them apart; an effect's end
 * and the tick that records it are one, for a crash in between is the crash after which the effect had its way.
 */
import {
  type Attempt,
  type AttemptResult,
  cancelPromotion,
  type decide,
  decideApproval,
  type Decision,
  decideSkip,
  isAppError,
  isTerminal,
  type Principal,
  releaseLock,
  requestSkip,
} from '@stella/domain';
import { makePrincipal } from '@stella/testkit';
import { canonicalPart, canonicalPlace, DEAD_WORKER, LIVE_WORKER } from './canonical.ts';
import { judgeWrite } from './judge-write.ts';
import { prune, renumber } from './prune.ts';
import { answer, type End, letLoose, operationEnds, releaseBy, sealed, sealEnd, settled } from './targets.ts';
import {
  contextOf,
  guardOf,
  NOW_MS,
  type Other,
  type Part,
  type Place,
  releaseOf,
  type Run,
  type Scene,
  snapshotOf,
  writeDecision,
} from './world.ts';

export interface Move {
  readonly name: string;
  readonly part: Part;
  readonly place: Place;
  /** Whoever waits for the environment is made due. */
  readonly wakes: boolean;
  readonly usesSkip: boolean;
  readonly isClaim: boolean;
  /** The promise that it breaks, if it does. */
  readonly broken: string | null;
}

export type DecideFunction = typeof decide;

/** Asks for every promotion. */
const ALICE = makePrincipal('alice', 'approver@*');
const BOB = makePrincipal('bob', 'approver@*', 'operator@*');
const CAROL = makePrincipal('carol', 'approver@*', 'operator@*');
const ACTOR = { kind: 'system', name: 'search' } as const;
const CLAIM_MS = 60_000;

export function movesOf(scene: Scene, decideWith: DecideFunction): Move[] {
  if (isTerminal(scene.part.promotion.status)) return [];
  return [...claims(scene), ...works(scene, decideWith), ...acts(scene)];
}

function quiet(name: string, { place }: Scene, part: Part): Move {
  return { name, part, place, wakes: false, usesSkip: false, isClaim: false, broken: null };
}

function claims(scene: Scene): Move[] {
  const { part } = scene;
  if (part.run || (part.promotion.nextActionAtMs ?? 0) > NOW_MS) return [];
  const run: Run = { isTakeover: part.promotion.workerId !== null, isFresh: true, underWay: [] };
  const promotion = { ...part.promotion, workerId: LIVE_WORKER, nextActionAtMs: NOW_MS + CLAIM_MS };
  return [{ ...quiet('claim', scene, { ...part, promotion, run }), isClaim: true }];
}

function works(scene: Scene, decideWith: DecideFunction): Move[] {
  const { part } = scene;
  const { run } = part;
  if (!run) return [];
  const isDue = (part.promotion.nextActionAtMs ?? 0) <= NOW_MS;
  const moves = run.isFresh || isDue ? [tick(scene, decideWith, { name: 'tick', results: new Map() })] : [];
  const underWay = part.attempts.filter((one) => one.result === null && run.underWay.includes(one.operationId));
  const probes = underWay.filter((one) => one.purpose.startsWith('precheck'));
  if (probes.length > 0) {
    const results = new Map(probes.map((one) => [one.operationId, answer('succeeded')]));
    moves.push(tick(scene, decideWith, { name: 'precheck', results }));
  }
  for (const attempt of underWay) {
    if (attempt.purpose.startsWith('precheck')) continue;
    for (const { result, place, broken } of endsOf(scene, attempt)) {
      const results = new Map([[attempt.operationId, result]]);
      const name = `${attempt.purpose}:${result.outcome}`;
      const move = tick({ ...scene, place }, decideWith, { name, results });
      moves.push({ ...move, broken: broken ?? move.broken });
    }
  }
  return moves;
}

/** One transaction: outcomes in, decision out, again under the guard when it asks for it. */
function tick(
  scene: Scene,
  decideWith: DecideFunction,
  { name, results }: { name: string; results: ReadonlyMap<string, AttemptResult> },
): Move {
  const { part } = scene;
  const attempts = part.attempts.map((one) =>
    one.result === null ? { ...one, result: results.get(one.operationId) ?? null } : one,
  );
  const shown: Scene = { ...scene, part: { ...part, attempts } };
  const snapshot = snapshotOf(shown);
  const isTakeover = part.run?.isTakeover ?? false;
  const ended = [...results.keys()];
  let decision = decideWith(snapshot, contextOf(null, isTakeover), ACTOR, ended);
  if (decision.needsGuard) decision = decideWith(snapshot, contextOf(guardOf(shown), isTakeover), ACTOR, ended);
  const underWay = decision.effects.map((one) => one.operationId);
  const run = decision.promotion.workerId === null ? null : { isTakeover: false, isFresh: false, underWay };
  return written(shown, decision, { name, before: part, run });
}

interface Writing {
  readonly name: string;
  /** As it was before anything was recorded. */
  readonly before: Part;
  readonly run: Run | null;
}

function written(scene: Scene, decision: Decision, { name, before, run }: Writing): Move {
  const raw = writeDecision(scene, decision);
  const pruned = prune(withTicket({ ...raw.part, run }, scene.other));
  const kept = scene.other.holds ? { ...pruned, place: raw.place } : renumber(pruned, settled(raw.place));
  const endRank = 1 + (scene.other.hasEnded ? 1 : 0);
  return {
    name,
    part: canonicalPart(kept.part, endRank),
    place: canonicalPlace({ ...kept.place, lastTicket: queueEnd(kept.part, scene.other) }, endRank),
    wakes: decision.wakesEnvironment,
    usesSkip: name === 'skip',
    isClaim: false,
    broken: judgeWrite(scene, { name, before, decision, ...raw }),
  };
}

/** Alone in the queue it is the first one. */
function withTicket(part: Part, { ticket }: Other): Part {
  const isAlone = part.promotion.ticket !== null && ticket === null;
  return isAlone ? { ...part, promotion: { ...part.promotion, ticket: 1 } } : part;
}

function queueEnd({ promotion: { step, ticket } }: Part, other: Other): number {
  return Math.max(other.ticket ?? 0, step === 'acquire_locks' ? (ticket ?? 0) : 0);
}

function endsOf({ stage, part, place }: Scene, attempt: Attempt): End[] {
  const here = (result: AttemptResult): End => ({ result, place, broken: null });
  switch (attempt.purpose) {
    case 'gate':
    case 'judge':
      return (['passed', 'failed', 'error'] as const).map((outcome) => here(answer(outcome)));
    case 'batch_verify':
    case 'verify':
    case 'rollback_verify': {
      const running = place.runs === null ? null : (releaseOf(stage, place.runs).components[0]?.digest ?? null);
      const seen = running === null ? answer('failed') : { ...answer('succeeded'), digest: running };
      return [here(seen), here(answer('error'))];
    }
    case 'seal':
      return [sealEnd(stage, place, attempt), here(answer('error'))];
    case 'deploy':
    case 'rollback':
      return operationEnds(place, attempt, releaseBy(part, place, attempt));
    case 'precheck_target':
    case 'precheck_artifact':
    case 'preflight_target':
    case 'preflight_artifact':
      return [here(answer('succeeded')), here(answer('failed'))];
  }
}

/** The worker has died; its operations at targets may go on without it. */
export function crashed(part: Part, place: Place): { part: Part; place: Place } {
  if (!part.run) return { part, place };
  const promotion = { ...part.promotion, workerId: DEAD_WORKER, nextActionAtMs: NOW_MS };
  return { part: { ...part, promotion, run: null }, place: settled(letLoose(place, part, part.run)) };
}

type Command = (snapshot: Parameters<DecideFunction>[0]) => Decision;

function acts(scene: Scene): Move[] {
  const { part } = scene;
  const context = contextOf(null, false);
  const approval =
    (decision: 'approved' | 'rejected', who: Principal): Command =>
    (snapshot) =>
      decideApproval(snapshot, context, who, { decision, gate: null, reason: 'r' });
  const commands: [string, Command][] = [
    ['approve', approval('approved', BOB)],
    ['reject', approval('rejected', CAROL)],
    // Refused, as long as the rules are right; so is the approval of one's own skip below.
    ['approve own', approval('approved', ALICE)],
  ];
  if (part.promotion.cancelRequestedAtMs === null) {
    commands.push(['cancel', (snapshot) => cancelPromotion(snapshot, context, BOB, 'r')]);
  }
  if (scene.maySkip) {
    commands.push(['skip', (before) => requestSkip(before, context, BOB, { gate: 'tests', reason: 'r' })]);
  }
  if (part.skips.length > 0) {
    const yes = { decision: 'approved', gate: 'tests', reason: 'r' } as const;
    commands.push(['skip:approve', (before) => decideSkip(before, context, CAROL, yes)]);
    commands.push(['skip:reject', (before) => decideSkip(before, context, CAROL, { ...yes, decision: 'rejected' })]);
    commands.push(['skip:approve own', (before) => decideSkip(before, context, BOB, yes)]);
  }
  return [...commands.flatMap(([name, command]) => act(scene, name, command)), ...forces(scene)];
}

function act(scene: Scene, name: string, command: Command): Move[] {
  const { part } = scene;
  const decision = attempted(() => command(snapshotOf(scene)));
  return decision ? [written(scene, decision, { name, before: part, run: part.run })] : [];
}

/**
 * Somebody takes the lock away, with the right to do so. What its worker had under way at the target may go on for a while.
 * The seals that follow may be lost with the server that was to send them.
 */
function forces(scene: Scene): Move[] {
  const { part } = scene;
  const lock = part.locks.find((one) => one.mode === 'exclusive');
  if (!lock) return [];
  const guard = guardOf(scene);
  const order = { lockId: lock.id, isForced: true, isStale: false, reason: 'r' };
  const decision = attempted(() => releaseLock(snapshotOf(scene), contextOf(guard, false), BOB, order));
  if (!decision) return [];
  const { n } = guard.fence;
  const place = part.run ? letLoose(scene.place, part, part.run) : scene.place;
  return [
    written({ ...scene, place: sealed(place, n) }, decision, { name: 'force', before: part, run: null }),
    written({ ...scene, place }, decision, { name: 'force:unsealed', before: part, run: null }),
  ];
}

function attempted(command: () => Decision): Decision | null {
  try {
    return command();
  } catch (error) {
    if (isAppError(error)) return null;
    throw error;
  }
}
