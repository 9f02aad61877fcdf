/**
 * Operations on a store as plain data, and one actor who carries them out: workers with their claims, people, time. Two
 * actors on two equal stores do the same, because everything they choose follows from what the store answered.
 */
import {
  type AnySettingKey,
  type Attempt,
  type AttemptOutcome,
  AppError,
  type Decision,
  decideSkip,
  type EnvironmentDefinition,
  type ConcurrencyMode,
  digestOf,
  type Priority,
  type PromotionId,
  promisedDigestOf,
  type PromotionSnapshot,
  requestSkip,
  type TargetHolding,
  type TargetSight,
} from '@stella/domain';
import { makeApprovalGate, makeDefinition, makeHttpGate, makeSoakGate, makeTarget } from '@stella/testkit';
import { applyDefinitions } from '../../src/engine/commands/apply-definitions.ts';
import { requestQuotaIncrease } from '../../src/engine/commands/change-quota.ts';
import { changeFreeze } from '../../src/engine/commands/freeze-environment.ts';
import { raiseEnvironmentFence } from '../../src/engine/commands/raise-fence.ts';
import { takeGateCallback } from '../../src/engine/commands/take-callback.ts';
import type { Claim, OutcomeRecord } from '../../src/ports/engine-store.ts';
import type { DueRound } from '../../src/ports/observation-store.ts';
import {
  ACTOR,
  codeOf,
  command,
  create,
  goodResult,
  type Hired,
  hire,
  inTransaction,
  LEASE_MS,
  type Place,
  principalOf,
  releaseLockOf,
  set,
  setUp,
  type Shown,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

/**
 * What becomes of the effects of a claim: they all end well, one ends otherwise, only the first ends, or none does.
 * `ahead`: well, and every target says that it holds an operation that the database does not know. `taken`: well, and
 * services of gates only take the question.
 */
export type Mood = 'taken' | 'good' | 'failed' | 'error' | 'timeout' | 'refused' | 'first' | 'none' | 'ahead';
export type Subject = 'olga' | 'alice' | 'bob';

/** `pick` chooses among what there is, modulo its number. */
export type Operation =
  | { readonly kind: 'create'; readonly environment: number; readonly release: number; readonly who: Subject }
  | { readonly kind: 'hire' }
  | { readonly kind: 'take'; readonly worker: number; readonly limit: number }
  /** Claims, and ticks all that it has so many times, every effect ending well. */
  | { readonly kind: 'work'; readonly worker: number; readonly ticks: number }
  /** `isLost`: its answer does not arrive. `isRepeated`: sends what was sent last, once more. */
  | {
      readonly kind: 'tick';
      readonly pick: number;
      readonly mood: Mood;
      readonly isLost: boolean;
      readonly isRepeated: boolean;
    }
  /** An admin raises a fence above `n`, which a target held. */
  | { readonly kind: 'raise'; readonly environment: number; readonly n: number }
  /** Null: until somebody unfreezes; 0: somebody does. */
  | { readonly kind: 'freeze'; readonly environment: number; readonly lengthMs: number | null }
  /** A gate's service calls back, with one of few ids, about any attempt. */
  | {
      readonly kind: 'callBack';
      readonly pick: number;
      readonly attempt: number;
      readonly id: number;
      readonly isYes: boolean;
    }
  | { readonly kind: 'askMore'; readonly environment: number; readonly wanted: number }
  | { readonly kind: 'approve' | 'reject' | 'skip' | 'approveSkip'; readonly pick: number; readonly who: Subject }
  | { readonly kind: 'cancel' | 'retry'; readonly pick: number }
  | { readonly kind: 'priority'; readonly pick: number; readonly priority: Priority }
  | { readonly kind: 'releaseLock'; readonly pick: number; readonly isForced: boolean }
  | { readonly kind: 'die' | 'bury' | 'retire' | 'renew'; readonly worker: number }
  | { readonly kind: 'setAside'; readonly pick: number; readonly count: number }
  | { readonly kind: 'set'; readonly key: AnySettingKey; readonly value: number | null }
  | { readonly kind: 'apply'; readonly environment: number; readonly deadlineMs: number }
  /** By the product's own command, with all that it refuses. */
  | { readonly kind: 'turn'; readonly environment: number; readonly concurrency: ConcurrencyMode }
  | { readonly kind: 'remove'; readonly environment: number }
  | { readonly kind: 'keyed'; readonly key: string; readonly body: string }
  | { readonly kind: 'sequence'; readonly limit: number }
  | { readonly kind: 'prune' }
  /** Claims rounds of looks at targets, and records one of those claimed so far, late or not: this release, or nothing seen. */
  | { readonly kind: 'look'; readonly limit: number; readonly pick: number; readonly release: number | null }
  | { readonly kind: 'pass'; readonly durationMs: number };

const DEV = makeDefinition({ name: 'dev', queue: 'latest' });
const STAGE = makeDefinition({
  name: 'stage',
  promotesFrom: ['dev'],
  gates: [makeHttpGate({ retryCount: 1 }), makeSoakGate({ environments: ['dev'], durationMs: 60_000 })],
  onFailure: 'hold',
});
const PROD = makeDefinition({
  gates: [makeHttpGate({ callback: { secret: 'env:STELLA_SECRET_TESTS' } }), makeApprovalGate()],
  quotas: { perHour: 1, perDay: 2, timeZone: 'Europe/Vienna' },
});
const MIX = makeDefinition({
  name: 'mix',
  gates: [],
  targets: [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })],
  concurrency: 'per_component',
  quotas: { perHour: 2, inProgress: 1, timeZone: 'UTC' },
});
export const DEFINITIONS: readonly EnvironmentDefinition[] = [DEV, STAGE, PROD, MIX];

const RELEASE_COUNT = 6;
/** All others are of `web` alone. */
const OTHER_COMPONENTS: Readonly<Record<number, readonly string[]>> = { 2: ['api'], 4: ['api', 'web'], 6: ['api'] };

/** A claim as its worker knows it. */
interface Run {
  readonly worker: Hired;
  claim: Claim;
  /** A tick said so. */
  isLost: boolean;
  /** What its last written tick named. */
  effects: readonly Attempt[];
  snapshot: PromotionSnapshot | null;
  sent: readonly OutcomeRecord[];
}

export interface StoreActor {
  /** What the store answered, or `{ refused: code }`; equal stores give equal answers. */
  act(operation: Operation): Promise<unknown>;
  /** How many of what came to be: `status.completed`, `refused.promotion.live_exists` … */
  readonly counts: ReadonlyMap<string, number>;
}

interface ActorState {
  readonly place: Place;
  readonly workers: Hired[];
  readonly promotions: PromotionId[];
  readonly runs: Run[];
  readonly rounds: DueRound[];
  /** What rules were shown since the last answer. */
  readonly shown: Shown[];
  readonly counts: Map<string, number>;
}

export async function makeStoreActor(world: StoreWorld): Promise<StoreActor> {
  await world.control.reset();
  const place = await setUp(world, DEFINITIONS, RELEASE_COUNT, (n) => OTHER_COMPONENTS[n] ?? ['web']);
  const state: ActorState = { place, workers: [], promotions: [], runs: [], rounds: [], shown: [], counts: new Map() };
  return {
    counts: state.counts,
    async act(operation) {
      state.shown.length = 0;
      const answer = await attempt(state, operation);
      return { answer, shown: [...state.shown] };
    },
  };
}

async function attempt(state: ActorState, operation: Operation): Promise<unknown> {
  try {
    const answer = (await perform(state, operation)) ?? null;
    count(state, `done.${operation.kind}`);
    return answer;
  } catch (error) {
    if (error instanceof NothingThere) return { nothing: error.message };
    count(state, `refused.${codeOf(error)}`);
    const code = codeOf(error);
    // Why a connection broke is told in words of its own.
    const isOurs = error instanceof AppError && code !== 'database.unavailable';
    return { refused: code, details: isOurs ? error.details : null };
  }
}

function count({ counts }: ActorState, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** The operation has nothing to work on. */
class NothingThere extends Error {}

function pickOf<T>(list: readonly T[], pick: number): T {
  const found = list[pick % Math.max(1, list.length)];
  if (found === undefined) throw new NothingThere('nothing there');
  return found;
}

function perform(state: ActorState, operation: Operation): Promise<unknown> {
  if (isByPerson(operation)) return performByPerson(state, operation);
  const { place, promotions, workers } = state;
  const { engine, sequencer, control } = place.world;
  switch (operation.kind) {
    case 'create':
      return createOne(state, operation);
    case 'hire':
      return hireOne(state);
    case 'take':
      return take(state, pickOf(workers, operation.worker), operation.limit);
    case 'work':
      return work(state, pickOf(workers, operation.worker), operation.ticks);
    case 'tick':
      return tickOne(state, operation);
    case 'renew':
      return engine.renewLease(pickOf(workers, operation.worker).id, LEASE_MS);
    case 'die':
      return pickOf(workers, operation.worker).end();
    case 'bury':
      return engine.buryDeadWorkers(pickOf(workers, operation.worker).id).then((ids) => [...ids].sort());
    case 'retire':
      return engine.retireWorker(pickOf(workers, operation.worker).id);
    case 'setAside': {
      const { claim } = pickOf(state.runs, operation.pick);
      return engine.setAside(claim, { message: 'it does not move', count: operation.count }, ACTOR);
    }
    case 'sequence':
      return sequencer.appendToChain(operation.limit);
    case 'prune':
      return engine.prune(2);
    case 'look':
      return look(state, operation);
    case 'pass':
      return control.pass(operation.durationMs);
    case 'keyed':
      return keyed(place.world, operation);
    case 'releaseLock':
      return releaseOne(place, pickOf(promotions, operation.pick), operation.isForced);
  }
}

async function look(
  { place, rounds }: ActorState,
  { limit, pick, release }: Extract<Operation, { kind: 'look' }>,
): Promise<unknown> {
  const { observations } = place.world;
  const due = await observations.takeDueRounds(limit);
  rounds.push(...due);
  const round = pickOf(rounds, pick);
  const sightOf = (target: DueRound['targets'][number]): TargetSight => {
    if (release === null) return { outcome: 'unseen', code: 'target.unreachable', message: 'no way' };
    const digest = promisedDigestOf(target, pickOf(place.releases, release));
    return { outcome: 'seen', digest, isHealthy: digest !== null, message: '' };
  };
  const looks = round.targets.map((target) => ({ target, sight: sightOf(target) }));
  return { due, kept: await observations.recordRound(round, looks, { by: 'host-1', jitter: 0.25 }) };
}

async function releaseOne(place: Place, id: PromotionId, isForced: boolean): Promise<void> {
  const { locks } = await snapshotOf(place.world, id);
  if (locks.length === 0) throw new NothingThere('it holds no lock');
  await releaseLockOf(place, id, isForced);
}

const PERSON_KINDS = [
  'approve',
  'reject',
  'skip',
  'approveSkip',
  'cancel',
  'raise',
  'freeze',
  'askMore',
  'callBack',
  'retry',
  'priority',
  'set',
  'apply',
  'turn',
  'remove',
] as const satisfies readonly Operation['kind'][];

type PersonOperation = Extract<Operation, { kind: (typeof PERSON_KINDS)[number] }>;

function isByPerson(operation: Operation): operation is PersonOperation {
  return PERSON_KINDS.some((kind) => kind === operation.kind);
}

async function performByPerson({ place, promotions }: ActorState, operation: PersonOperation): Promise<unknown> {
  switch (operation.kind) {
    case 'approve':
    case 'reject': {
      const word = { kind: operation.kind, gate: null, reason: '' };
      return command(place, pickOf(promotions, operation.pick), operation.who, word);
    }
    case 'cancel':
    case 'retry': {
      const id = await command(place, pickOf(promotions, operation.pick), 'olga', { kind: operation.kind, reason: '' });
      if (!promotions.includes(id)) promotions.push(id);
      return id;
    }
    case 'priority': {
      const { kind, pick, priority } = operation;
      return command(place, pickOf(promotions, pick), 'olga', { kind, priority, reason: '' });
    }
    case 'raise': {
      const holds = holdingOf('unknown', operation.n);
      const order = {
        environment: pickOf(DEFINITIONS, operation.environment).name,
        seen: [{ target: 'web-1', holds }],
        reason: 'seen',
      };
      return inTransaction(place.world, (tx) => raiseEnvironmentFence(tx, principalOf(place, 'olga'), order));
    }
    case 'freeze': {
      const { lengthMs } = operation;
      const { name: environment } = pickOf(DEFINITIONS, operation.environment);
      return inTransaction(place.world, (tx) => {
        const untilMs = lengthMs === null ? null : tx.nowMs + lengthMs;
        const wish = lengthMs === 0 ? ({ kind: 'unfreeze' } as const) : { kind: 'freeze' as const, untilMs };
        const order = { environment, wish, reason: 'on air', seenVersion: null };
        return changeFreeze(tx, principalOf(place, 'olga'), order);
      });
    }
    case 'askMore': {
      const { name: environment } = pickOf(DEFINITIONS, operation.environment);
      const order = { environment, name: 'perHour', wanted: operation.wanted, reason: 'a full day' } as const;
      return inTransaction(place.world, (tx) => requestQuotaIncrease(tx, principalOf(place, 'olga'), order));
    }
    case 'callBack':
      return callBack(place, pickOf(promotions, operation.pick), operation);
    case 'skip':
    case 'approveSkip':
      return skip(place, pickOf(promotions, operation.pick), operation.who, operation.kind === 'skip');
    case 'set':
      return set(place, operation.key, operation.value);
    case 'apply': {
      const definition = { ...pickOf(DEFINITIONS, operation.environment), deployDeadlineMs: operation.deadlineMs };
      return inTransaction(place.world, async (tx) => {
        await tx.lockEnvironments();
        return tx.writeDefinition(definition, ACTOR);
      });
    }
    case 'turn':
      return turn(place, pickOf(DEFINITIONS, operation.environment), operation.concurrency);
    case 'remove':
      return removeEnvironment(place, pickOf(DEFINITIONS, operation.environment).name);
  }
}

async function callBack(
  { world }: Place,
  promotionId: PromotionId,
  { attempt: pick, id, isYes }: Extract<Operation, { kind: 'callBack' }>,
): Promise<unknown> {
  const { attempts, release } = await snapshotOf(world, promotionId);
  const asked = pickOf(
    attempts.filter((one) => one.purpose === 'gate'),
    pick,
  );
  const { operationId, gateRunId, subject: gate } = asked;
  if (gateRunId === null) throw new NothingThere('no gate was asked');
  const { components } = release;
  const verdict = {
    operationId,
    gateRunId,
    components,
    verdict: isYes ? 'passed' : 'failed',
    message: 'said',
  } as const;
  const place = { promotionId, gateRunId, gate, isDebt: false };
  const order = { place, verdict, webhookId: `msg_${id}`, body: '{}' };
  return inTransaction(world, (tx) => takeGateCallback(tx, world, order).then(() => null));
}

function turn(place: Place, definition: EnvironmentDefinition, concurrency: ConcurrencyMode): Promise<unknown> {
  const order = { definitions: [{ ...definition, concurrency }], isPruning: false, findCycle: () => null };
  return inTransaction(place.world, (tx) => applyDefinitions(tx, principalOf(place, 'olga'), order));
}

function removeEnvironment({ world }: Place, name: string): Promise<unknown> {
  return inTransaction(world, async (tx) => {
    await tx.lockEnvironments();
    const live = await tx.livePromotionsOf(name);
    if (live.length === 0) await tx.removeEnvironment(name);
    return live;
  });
}

function skip(place: Place, id: PromotionId, who: Subject, isRequest: boolean): Promise<unknown> {
  const principal = principalOf(place, who);
  const { world } = place;
  return inTransaction(world, async (tx) => {
    const before = await tx.lockPromotion(id);
    if (!before) throw new NothingThere(id);
    const context = { nowMs: tx.nowMs, ids: world.ids, guard: null, isTakeover: false };
    const gate = before.promotion.definition.gates[0]?.name ?? 'none';
    const decision: Decision = isRequest
      ? requestSkip(before, context, principal, { gate, reason: 'urgent' })
      : decideSkip(before, context, principal, { decision: 'approved', gate, reason: '' });
    await tx.writeDecision(decision);
    return null;
  });
}

async function createOne(
  { place, promotions }: ActorState,
  { environment, release, who }: Extract<Operation, { kind: 'create' }>,
): Promise<PromotionId> {
  const { name } = pickOf(DEFINITIONS, environment);
  const id = await create(place, name, 1 + (release % place.releases.length), who);
  promotions.push(id);
  return id;
}

/** Workers of one sequence; each has a session of its own. */
const WORKERS_MAX = 5;

async function hireOne({ place, workers }: ActorState): Promise<unknown> {
  if (workers.length >= WORKERS_MAX) throw new NothingThere('there are enough');
  const hired = await hire(place.world);
  workers.push(hired);
  return hired.id;
}

async function take({ place, runs }: ActorState, worker: Hired, limit: number): Promise<unknown> {
  const { claimed, owned } = await place.world.engine.takeDueWork(worker.id, limit);
  // Neither store promises an order within one answer.
  const [fresh, due] = [inOrderOfId(claimed), inOrderOfId(owned)];
  for (const claim of fresh) runs.push({ worker, claim, isLost: false, effects: [], snapshot: null, sent: [] });
  return { claimed: fresh, owned: due };
}

function inOrderOfId(claims: readonly Claim[]): readonly Claim[] {
  return [...claims].sort((a, b) => (a.promotionId < b.promotionId ? -1 : 1));
}

async function work(state: ActorState, worker: Hired, ticks: number): Promise<unknown> {
  const answers: unknown[] = [await take(state, worker, CLAIMS_MAX)];
  for (let n = 0; n < ticks; n += 1) {
    for (const run of state.runs.filter((one) => one.worker === worker && !one.isLost)) {
      answers.push(await tickRun(state, run, { mood: 'good', isLost: false, isRepeated: false }));
    }
  }
  return answers;
}

/** More than a sequence makes promotions that are due at once. */
const CLAIMS_MAX = 20;

type TickOperation = Extract<Operation, { kind: 'tick' }>;

/** A run that was lost is ticked again only by a repeat. */
function tickOne(state: ActorState, operation: TickOperation): Promise<unknown> {
  const runs = state.runs.filter((one) => !one.isLost || operation.isRepeated);
  return tickRun(state, pickOf(runs, operation.pick), operation);
}

async function tickRun(
  state: ActorState,
  run: Run,
  { mood, isLost, isRepeated }: Pick<TickOperation, 'mood' | 'isLost' | 'isRepeated'>,
): Promise<unknown> {
  // No deploy takes no time at all: which of two completed last is told by their time.
  await state.place.world.control.pass(1);
  const outcomes = isRepeated ? run.sent : outcomesOf(run, mood);
  run.sent = outcomes;
  if (isLost) state.place.world.control.loseNextCommit();
  const result = await tick(state.place.world, run.claim, outcomes, (shown) => state.shown.push(shown));
  run.isLost = result.kind !== 'written' || result.decision.promotion.workerId === null;
  if (result.kind !== 'written') return result;
  const { decision, snapshot } = result;
  run.claim = { ...run.claim, isTakeover: false, failureCount: 0 };
  run.effects = decision.effects;
  run.snapshot = snapshot;
  count(state, `status.${decision.promotion.status}`);
  count(state, `step.${decision.promotion.step}`);
  if (decision.promotion.ending) count(state, `ending.${decision.promotion.ending.code}`);
  return decision;
}

/** Every effect ends alike. */
const OF_ALL: ReadonlySet<Mood> = new Set(['good', 'first', 'ahead', 'taken']);

function outcomesOf({ effects, snapshot }: Run, mood: Mood): readonly OutcomeRecord[] {
  if (!snapshot || mood === 'none') return [];
  const ending = mood === 'first' ? effects.slice(0, 1) : effects;
  return ending.map((effect, index) => {
    const good = goodResult(snapshot, effect);
    if (mood === 'taken' && effect.purpose === 'gate') {
      return { operationId: effect.operationId, result: { ...good, outcome: 'acknowledged' } };
    }
    const isOther = index === 0 && !OF_ALL.has(mood);
    // The moods that are left are outcomes.
    const outcome = isOther ? (mood as AttemptOutcome) : good.outcome;
    const rest = isOther ? { code: 'probe.unreachable', message: `it ended as ${mood}` } : {};
    const isAhead = mood === 'ahead' && effect.purpose !== 'gate' && !effect.purpose.endsWith('_artifact');
    const holds = isAhead ? holdingOf('unknown', effect.number) : null;
    return {
      operationId: effect.operationId,
      result: { ...good, ...rest, outcome, output: `said ${effect.number}`, holds },
    };
  });
}

function holdingOf(operationId: string, n: number): TargetHolding {
  const fence = { epoch: 1, n };
  return { fence, operation: { fence, operationId } };
}

function keyed({ commands }: StoreWorld, { key, body }: { key: string; body: string }): Promise<unknown> {
  const request = { actorId: 'per_1', route: 'POST /test', key, bodyHash: digestOf(body) };
  return commands.transact(request, async (tx) => {
    const event = { type: 'release.created', actor: ACTOR, atMs: tx.nowMs, promotionId: null, data: {} } as const;
    await tx.writeEvents([{ ...event, subject: key }]);
    return { status: 201, body: { key, nowMs: tx.nowMs } };
  });
}
