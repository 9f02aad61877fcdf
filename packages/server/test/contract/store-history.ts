/** A store with a past: promotions that ended in every way, and others in the middle of their lives, by real ticks. */
import {
  type Attempt,
  type AttemptResult,
  type EnvironmentDefinition,
  FIRST_LOOK_AFTER_MS,
  type PromotionId,
  type PromotionSnapshot,
} from '@stella/domain';
import {
  makeApprovalGate,
  makeCanary,
  makeComposeTarget,
  makeDefinition,
  makeHttpGate,
  makeSoakGate,
  makeTarget,
} from '@stella/testkit';
import type { Claim, OutcomeRecord } from '../../src/ports/engine-store.ts';
import {
  ACTOR,
  claimOne,
  command,
  create,
  goodResult,
  hire,
  type Hired,
  type Place,
  setUp,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

/** Of a gate, and that of `makeCanary`. */
const SOAK_MS = 10_000;

export const HISTORY_DEFINITIONS: readonly EnvironmentDefinition[] = [
  makeDefinition({ name: 'dev', gates: [makeHttpGate()], targets: [makeTarget(), makeTarget({ name: 'web-2' })] }),
  makeDefinition({ name: 'prod', promotesFrom: ['dev'], gates: [makeHttpGate(), makeApprovalGate()] }),
  makeDefinition({ name: 'lab', gates: [], quotas: { perDay: 9, timeZone: 'UTC' } }),
  makeDefinition({
    name: 'fleet',
    strategy: { kind: 'rolling', maxUnavailable: 1 },
    targets: [makeTarget(), makeTarget({ name: 'web-2' })],
  }),
  makeDefinition({
    name: 'bird',
    strategy: makeCanary({ targets: ['web-1'] }),
    targets: [makeTarget(), makeTarget({ name: 'web-2' })],
  }),
  makeDefinition({
    name: 'duo',
    strategy: { kind: 'rolling', maxUnavailable: 1 },
    targets: [makeComposeTarget(), makeComposeTarget({ name: 'shop-2' })],
  }),
  makeDefinition({ name: 'pot' }),
  makeDefinition({
    name: 'mug',
    promotesFrom: ['pot'],
    gates: [makeSoakGate({ environments: ['pot'], durationMs: SOAK_MS })],
  }),
  makeDefinition({
    name: 'mix',
    gates: [],
    concurrency: 'per_component',
    targets: [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })],
  }),
];

const RELEASE_COUNT = 12;
/** All others are of `web` alone. */
const OTHER_COMPONENTS: Readonly<Record<number, readonly string[]>> = { 9: ['api'], 11: ['api', 'web'], 12: ['api'] };

/** Time goes on between what happens, so that nothing is of the same moment. */
const STEP_MS = 1_000;
const TICKS_MAX = 60;
/** Who waits for a lock looks again after this. */
const QUEUE_RECHECK_MS = 15_000;

type Answer = Omit<AttemptResult, 'endedAtMs'>;
/** Null: the effect is still under way. */
type Script = (snapshot: PromotionSnapshot, attempt: Attempt) => Answer | null;

/** Ticks until nothing runs any more, or until the script leaves something open. */
async function live(world: StoreWorld, claim: Claim, script: Script = goodResult): Promise<PromotionSnapshot> {
  let current = claim;
  let outcomes: readonly OutcomeRecord[] = [];
  for (let count = 0; count < TICKS_MAX; count += 1) {
    await world.control.pass(STEP_MS);
    const result = await tick(world, current, outcomes);
    if (result.kind !== 'written') throw new Error('the claim was lost');
    current = { promotionId: claim.promotionId, claimEpoch: claim.claimEpoch, isTakeover: false, failureCount: 0 };
    const { effects, promotion } = result.decision;
    const snapshot = await snapshotOf(world, claim.promotionId);
    outcomes = effects.flatMap((attempt) => {
      const answer = script(snapshot, attempt);
      return answer ? [{ operationId: attempt.operationId, result: answer }] : [];
    });
    if (promotion.workerId === null || outcomes.length === 0) return snapshot;
  }
  throw new Error('it goes in a circle');
}

const failAt =
  (purpose: Attempt['purpose'], outcome: AttemptResult['outcome']): Script =>
  (snapshot, attempt) =>
    attempt.purpose === purpose
      ? { ...goodResult(snapshot, attempt), outcome, code: 'deploy.failed', message: 'no', digest: null }
      : goodResult(snapshot, attempt);

const stopAt =
  (purpose: Attempt['purpose']): Script =>
  (snapshot, attempt) =>
    attempt.purpose === purpose ? null : goodResult(snapshot, attempt);

/** The claim of that promotion alone; whoever waits has looked before, and waits on. */
async function begin(place: Place, worker: Hired, environment: string, release: number): Promise<Claim> {
  await place.world.control.pass(STEP_MS);
  await lookAgain(place.world, worker);
  await create(place, environment, release);
  return claimOne(place.world, worker.id);
}

/** Until nobody is due: each look takes time, in which others may become due. */
async function lookAgain(world: StoreWorld, worker: Hired): Promise<void> {
  for (let count = 0; count < TICKS_MAX; count += 1) {
    const { claimed } = await world.engine.takeDueWork(worker.id, 10);
    if (claimed.length === 0) return;
    for (const claim of claimed) await live(world, claim, failAt('precheck_target', 'failed'));
  }
  throw new Error('somebody is always due');
}

async function approve(place: Place, worker: Hired, id: PromotionId, script?: Script): Promise<PromotionSnapshot> {
  await place.world.control.pass(STEP_MS);
  await command(place, id, 'bob', { kind: 'approve', gate: null, reason: 'fine' });
  return live(place.world, await claimOne(place.world, worker.id), script);
}

/** Answers the worker that is still at work. */
export async function writeHistory(world: StoreWorld): Promise<{ place: Place; worker: Hired }> {
  const place = await setUp(world, HISTORY_DEFINITIONS, RELEASE_COUNT, (n) => OTHER_COMPONENTS[n] ?? ['web']);
  await world.commands.transact(null, async (tx) => {
    const told = { type: 'environment.applied', actor: ACTOR, promotionId: null, subject: 'dev', data: {} } as const;
    await tx.writeEvents([{ ...told, atMs: tx.nowMs }]);
    return { status: 200, body: null };
  });
  const first = await hire(world);
  await soakAfterBreak(place, first);
  await completeTwo(place, first);
  await endOtherwise(place, first);
  const worker = await changeHands(place, first);
  await live(world, await begin(place, worker, 'fleet', 1));
  await soakThrough(place, worker);
  // One of two components, which a target promises together.
  await live(world, await begin(place, worker, 'duo', 11));
  await leaveOpen(place, worker);
  await goSideBySide(place, worker);
  for (let count = 0; count < TICKS_MAX && (await world.sequencer.appendToChain(50)) > 0; count += 1);
  return { place, worker };
}

/** A target is found ill and later well, and then soaks for as long as it has to. */
async function soakAfterBreak(place: Place, worker: Hired): Promise<void> {
  const { world, releases } = place;
  await live(world, await begin(place, worker, 'pot', 1));
  const digest = releases[0]?.components[0]?.digest ?? null;
  for (const isHealthy of [false, true]) {
    await world.control.pass(2 * FIRST_LOOK_AFTER_MS);
    const round = (await world.observations.takeDueRounds(100)).find(({ environment }) => environment === 'pot');
    if (!round) throw new Error('pot is not due');
    const sight = { outcome: 'seen', digest, isHealthy, message: '' } as const;
    const looks = round.targets.map((target) => ({ target, sight }));
    await world.observations.recordRound(round, looks, { by: 'host-1', jitter: 0 });
  }
  const { promotion } = await live(world, await begin(place, worker, 'mug', 1));
  await world.control.pass(SOAK_MS);
  const done = await live(world, await claimOne(world, worker.id));
  if (done.promotion.id !== promotion.id || done.promotion.status !== 'completed') throw new Error('it soaks on');
}

async function completeTwo(place: Place, worker: Hired): Promise<void> {
  for (const release of [1, 2]) {
    await live(place.world, await begin(place, worker, 'dev', release));
    const { promotion } = await live(place.world, await begin(place, worker, 'prod', release));
    await approve(place, worker, promotion.id, release === 2 ? failAt('deploy', 'failed') : goodResult);
  }
}

async function endOtherwise(place: Place, worker: Hired): Promise<void> {
  const { world } = place;
  await live(world, await begin(place, worker, 'dev', 3), failAt('gate', 'failed'));
  await live(world, await begin(place, worker, 'dev', 4), failAt('deploy', 'error'));
  await live(world, await begin(place, worker, 'dev', 5), failAt('precheck_target', 'failed'));
  const waiting = (await world.engine.takeDueWork(worker.id, 10)).claimed;
  if (waiting.length > 0) throw new Error('something else is due');
}

/** A worker dies in the middle of a deploy; the next one seals, looks up, and goes on. */
async function changeHands(place: Place, first: Hired): Promise<Hired> {
  const { world } = place;
  const claim = await begin(place, first, 'lab', 1);
  await live(world, claim, stopAt('deploy'));
  await first.end();
  const worker = await hire(world);
  await world.control.pass(STEP_MS);
  await world.engine.buryDeadWorkers(worker.id);
  await live(world, await claimOne(world, worker.id));
  const operationId = `${claim.promotionId}.deploy.web-1.1`;
  const result = { outcome: 'succeeded', code: '', message: 'late', output: '', digest: null, sealed: null } as const;
  await tick(world, claim, [{ operationId, result }]);
  return worker;
}

/** A canary soaks, and goes on when somebody looks after that; whoever else is due then looks, too, and waits on. */
async function soakThrough(place: Place, worker: Hired): Promise<void> {
  const { world } = place;
  const first = await begin(place, worker, 'bird', 1);
  await live(world, first);
  await world.control.pass(SOAK_MS);
  const { claimed } = await world.engine.takeDueWork(worker.id, 10);
  for (const claim of claimed) {
    const isCanary = claim.promotionId === first.promotionId;
    await live(world, claim, isCanary ? goodResult : failAt('precheck_target', 'failed'));
  }
}

async function leaveOpen(place: Place, worker: Hired): Promise<void> {
  const { world } = place;
  await live(world, await begin(place, worker, 'prod', 2));
  await live(world, await begin(place, worker, 'lab', 2), stopAt('deploy'));
  await live(world, await begin(place, worker, 'lab', 3));
}

/** Components of two releases; one of them is being changed, who wants both waits, and so does who comes behind that one. */
async function goSideBySide(place: Place, worker: Hired): Promise<void> {
  const { world } = place;
  for (const release of [1, 9]) await live(world, await begin(place, worker, 'mix', release));
  await live(world, await begin(place, worker, 'mix', 10), stopAt('deploy'));
  for (const release of [11, 12]) await live(world, await begin(place, worker, 'mix', release));
  // Everybody who waits for a lock looks once more, so that none of them is about to.
  await world.control.pass(QUEUE_RECHECK_MS);
  await lookAgain(world, worker);
}
