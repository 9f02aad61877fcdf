/** One stage for all pairs, and every kind of transaction that writes, each on the promotion or environment it is about. */
import { decide, type LockId, type PromotionId, type Release } from '@stella/domain';
import { makeApprovalGate, makeDefinition, makeHttpGate, makeTarget } from '@stella/testkit';
import { applyDefinitions } from '../../../src/engine/commands/apply-definitions.ts';
import { applyRegistries } from '../../../src/engine/commands/apply-registries.ts';
import { changeQuotaLimits, requestQuotaIncrease } from '../../../src/engine/commands/change-quota.ts';
import { createPromotion } from '../../../src/engine/commands/create-promotion.ts';
import { deployArtifact } from '../../../src/engine/commands/deploy-artifact.ts';
import { changeFreeze } from '../../../src/engine/commands/freeze-environment.ts';
import { takeGateCallback } from '../../../src/engine/commands/take-callback.ts';
import { takeLock } from '../../../src/engine/commands/release-lock.ts';
import { raiseEnvironmentFence } from '../../../src/engine/commands/raise-fence.ts';
import type { Claim, OutcomeRecord } from '../../../src/ports/engine-store.ts';
import {
  ACTOR,
  claimOne,
  command,
  create,
  goodResult,
  hire,
  inTransaction,
  LEASE_MS,
  type Place,
  play,
  principalOf,
  set,
  setUp,
  snapshotOf,
  tick,
} from '../../contract/store-play.ts';
import type { StoreWorld } from '../../contract/store-world.ts';
import {
  OBSERVATION_DEFINITIONS,
  OBSERVATION_TRANSACTIONS,
  type ObservationStage,
  setObservationStage,
} from './observation-transactions.ts';
import { NOTICE_DEFINITIONS, NOTICE_TRANSACTIONS, type NoticeStage, setNoticeStage } from './notice-transactions.ts';

const PROD = makeDefinition({ name: 'prod' });
const GATED = makeDefinition({ name: 'gated', gates: [makeHttpGate()] });
const SIGNED = makeDefinition({ name: 'signed', gates: [makeApprovalGate()] });
const MIX = makeDefinition({
  name: 'mix',
  targets: [makeTarget(), makeTarget({ name: 'api-1', component: 'api' })],
  concurrency: 'per_component',
});
const QUOTA = makeDefinition({ ...MIX, name: 'quota', quotas: { perDay: 1, timeZone: 'UTC' } });
const RELEASE_COUNT = 9;
/** Completed in `prod`, one after the other. */
const OLDER_RELEASE = 1;
const BASE_RELEASE = 2;
/** Its artifact is deployed by itself. */
const ARTIFACT_RELEASE = 6;
/** All others are of `web` alone. */
const API_RELEASE = 9;

/** A claim with the answers that its next tick brings. */
interface Course {
  readonly claim: Claim;
  readonly outcomes: readonly OutcomeRecord[];
}

export interface StageOfPairs {
  readonly place: Place;
  readonly notices: NoticeStage;
  readonly observations: ObservationStage;
  /** In `prod`: one that is about to complete, one that is about to take the locks, one that nobody has claimed. */
  readonly completing: Course;
  readonly taking: Course;
  /** Of the one that is about to complete. */
  readonly lockId: LockId;
  readonly fresh: PromotionId;
  /** In `gated`: one whose next tick needs no guard; another of a worker that is dead. */
  readonly gated: Course;
  readonly orphan: PromotionId;
  /** In `gated`, at their gate: one that nobody wants to skip yet, one whose skip was asked for. */
  readonly skippable: PromotionId;
  readonly asked: Course;
  /** In `mix`: two that are about to complete, each with a component of its own. */
  readonly web: Course;
  readonly api: Course;
  /** In `quota`: two that are about to start, each with a component of its own, where one may. */
  readonly startingWeb: Course;
  readonly startingApi: Course;
  /** In `signed`: one that waits for a person. */
  readonly signed: PromotionId;
  readonly worker: Awaited<ReturnType<typeof hire>>['id'];
  readonly other: Awaited<ReturnType<typeof hire>>['id'];
}

export async function setStage(world: StoreWorld): Promise<StageOfPairs> {
  const place = await setUp(
    world,
    [PROD, GATED, SIGNED, MIX, QUOTA, ...NOTICE_DEFINITIONS, ...OBSERVATION_DEFINITIONS],
    RELEASE_COUNT,
    (n) => [n === API_RELEASE ? 'api' : 'web'],
  );
  const notices = await setNoticeStage(place);
  const observations = await setObservationStage(place);
  const doomed = await hire(world);
  const orphan = await create(place, 'gated', 1);
  await tick(world, await claimOne(world, doomed.id));
  const worker = await hire(world);
  const other = await hire(world);
  for (const n of [OLDER_RELEASE, BASE_RELEASE]) await play(world, await claimed(place, worker.id, 'prod', n));
  const completing = await courseOf(world, await claimed(place, worker.id, 'prod', 3), 'verify');
  const taking = await courseOf(world, await claimed(place, worker.id, 'prod', 4), 'precheck');
  const gated = await courseOf(world, await claimed(place, worker.id, 'gated', 3), 'precheck');
  const skippable = await courseOf(world, await claimed(place, worker.id, 'gated', 6), 'evaluate_gates');
  const asked = await courseOf(world, await claimed(place, worker.id, 'gated', 8), 'evaluate_gates');
  await command(place, asked.claim.promotionId, 'olga', { kind: 'skip_gate', gate: 'tests', reason: 'down' });
  const signedClaim = await claimed(place, worker.id, 'signed', 4);
  await play(world, signedClaim);
  const web = await courseOf(world, await claimed(place, worker.id, 'mix', 8), 'verify');
  const api = await courseOf(world, await claimed(place, worker.id, 'mix', API_RELEASE), 'verify');
  const startingWeb = await courseOf(world, await claimed(place, worker.id, 'quota', 8), 'precheck');
  const startingApi = await courseOf(world, await claimed(place, worker.id, 'quota', API_RELEASE), 'precheck');
  const fresh = await create(place, 'prod', 5);
  await doomed.end();
  const { locks } = await snapshotOf(world, completing.claim.promotionId);
  const lock = locks.find((one) => one.mode === 'exclusive');
  if (!lock) throw new Error('nobody holds the environment');
  return {
    place,
    notices,
    observations,
    completing,
    taking,
    lockId: lock.id,
    fresh,
    gated,
    orphan,
    skippable: skippable.claim.promotionId,
    asked,
    web,
    api,
    startingWeb,
    startingApi,
    signed: signedClaim.promotionId,
    worker: worker.id,
    other: other.id,
  };
}

async function claimed(place: Place, worker: StageOfPairs['worker'], environment: string, n: number): Promise<Claim> {
  await create(place, environment, n);
  return claimOne(place.world, worker);
}

/** Played until the step's effects are under way. */
async function courseOf(
  world: StoreWorld,
  claim: Claim,
  step: 'verify' | 'precheck' | 'evaluate_gates',
): Promise<Course> {
  await play(world, claim, ({ promotion }) => promotion.step === step);
  const snapshot = await snapshotOf(world, claim.promotionId);
  const open = snapshot.attempts.filter((attempt) => attempt.result === null);
  if (open.length === 0) throw new Error(`${claim.promotionId} has nothing under way in ${snapshot.promotion.step}`);
  const outcomes = open.map((one) => ({ operationId: one.operationId, result: goodResult(snapshot, one) }));
  return { claim: { ...claim, isTakeover: false, failureCount: 0 }, outcomes };
}

export interface WriteTransaction {
  readonly name: string;
  /** Leaves rows out that the other one has locked, instead of waiting for them. */
  readonly isSkipping?: boolean;
  run(world: StoreWorld, stage: StageOfPairs): Promise<unknown>;
  /** What a later turn of the same loop does about what this one left out; after both have ended. */
  settle?(world: StoreWorld): Promise<unknown>;
}

const tickOf =
  (pick: (stage: StageOfPairs) => Course): WriteTransaction['run'] =>
  async (world, stage) => {
    const { claim, outcomes } = pick(stage);
    const result = await world.engine.tick(claim, outcomes, (snapshot, context, ended) =>
      decide(snapshot, context, ACTOR, ended),
    );
    return result.kind;
  };

/** The stage's commands, asked of that side's store. */
const on = (world: StoreWorld, { place }: StageOfPairs): Place => ({ ...place, world });

const cancelOf =
  (pick: (stage: StageOfPairs) => PromotionId): WriteTransaction['run'] =>
  (world, stage) =>
    command(on(world, stage), pick(stage), 'olga', { kind: 'cancel', reason: '' });

/** At the gate of the one whose skip was asked for. */
async function callBack(
  world: StoreWorld,
  { asked }: StageOfPairs,
  said: { readonly verdict: 'passed' | 'failed'; readonly webhookId: string },
): Promise<string> {
  const { promotionId } = asked.claim;
  const [{ operationId } = { operationId: '' }] = asked.outcomes;
  const { attempts, release } = await snapshotOf(world, promotionId);
  const gateRunId = attempts.find((one) => one.operationId === operationId)?.gateRunId;
  if (!gateRunId) throw new Error('no gate was asked');
  const { components } = release;
  const { webhookId } = said;
  const verdict = { operationId, gateRunId, components, verdict: said.verdict, message: '' };
  const place = { promotionId, gateRunId, gate: 'tests', isDebt: false };
  await inTransaction(world, (tx) => takeGateCallback(tx, world, { place, verdict, webhookId, body: '{}' }));
  return 'taken';
}

/** Makes a release and its promotion. */
function deployOne(world: StoreWorld, { place }: StageOfPairs): Promise<unknown> {
  const [component] = releaseOf(place, ARTIFACT_RELEASE).components;
  if (!component) throw new Error('the release has no component');
  const wish = { environment: 'prod', component, isForced: false, reason: '' };
  return inTransaction(world, (tx) => deployArtifact(tx, world, principalOf(place, 'olga'), wish));
}

/** Of what the person saw there: refused once something newer has completed. */
function goBack(world: StoreWorld, { place }: StageOfPairs): Promise<unknown> {
  const release = releaseOf(place, OLDER_RELEASE);
  const seenBaseId = releaseOf(place, BASE_RELEASE).id;
  const way = { kind: 'rollback', priority: 'high', retryOf: null, reason: 'slow', seenBaseId } as const;
  const wish = { release, environment: 'prod', ...way };
  return inTransaction(world, (tx) => createPromotion(tx, world, principalOf(place, 'olga'), wish));
}

function releaseOf({ releases }: Place, n: number): Release {
  const release = releases[n - 1];
  if (!release) throw new Error(`no release ${n}`);
  return release;
}

export const WRITE_TRANSACTIONS: readonly WriteTransaction[] = [
  { name: 'tick unguarded', run: tickOf((stage) => stage.gated) },
  { name: 'tick taking locks', run: tickOf((stage) => stage.taking) },
  { name: 'tick completing', isSkipping: true, run: tickOf((stage) => stage.completing) },
  { name: 'tick completing web', isSkipping: true, run: tickOf((stage) => stage.web) },
  { name: 'tick completing api', isSkipping: true, run: tickOf((stage) => stage.api) },
  { name: 'tick starting web', run: tickOf((stage) => stage.startingWeb) },
  { name: 'tick starting api', run: tickOf((stage) => stage.startingApi) },
  {
    name: 'claim',
    isSkipping: true,
    run: async (world, { other }) => (await world.engine.takeDueWork(other, 10)).claimed.length,
  },
  {
    name: 'bury',
    isSkipping: true,
    // The dead are a set: they come in the order in which their rows lie.
    run: async (world, { worker }) => (await world.engine.buryDeadWorkers(worker)).toSorted(),
  },
  { name: 'retire', run: (world, { worker }) => world.engine.retireWorker(worker) },
  {
    name: 'set aside',
    run: (world, { gated }) => world.engine.setAside(gated.claim, { message: 'poison', count: 5 }, ACTOR),
  },
  { name: 'renew', run: (world, { worker }) => world.engine.renewLease(worker, LEASE_MS) },
  {
    name: 'approve',
    run: (world, stage) => command(on(world, stage), stage.signed, 'bob', { kind: 'approve', gate: null, reason: '' }),
  },
  {
    name: 'reject',
    run: (world, stage) =>
      command(on(world, stage), stage.signed, 'olga', { kind: 'reject', gate: null, reason: 'no' }),
  },
  { name: 'tick at a gate', run: tickOf((stage) => stage.asked) },
  {
    name: 'skip gate',
    run: (world, stage) =>
      command(on(world, stage), stage.skippable, 'peter', { kind: 'skip_gate', gate: 'tests', reason: 'down' }),
  },
  {
    name: 'approve skip',
    run: (world, stage) =>
      command(on(world, stage), stage.asked.claim.promotionId, 'bob', {
        kind: 'approve',
        gate: null,
        skip: 'tests',
        reason: '',
      }),
  },
  {
    name: 'reject skip',
    run: (world, stage) =>
      command(on(world, stage), stage.asked.claim.promotionId, 'peter', {
        kind: 'reject',
        gate: null,
        skip: 'tests',
        reason: 'no',
      }),
  },
  {
    name: 'tick taken',
    run: tickOf(({ asked }) => ({
      claim: asked.claim,
      outcomes: asked.outcomes.map(({ operationId, result }) => ({
        operationId,
        result: { ...result, outcome: 'acknowledged' as const },
      })),
    })),
  },
  { name: 'call back', run: (world, stage) => callBack(world, stage, { verdict: 'passed', webhookId: 'msg_1' }) },
  { name: 'call back again', run: (world, stage) => callBack(world, stage, { verdict: 'failed', webhookId: 'msg_2' }) },
  { name: 'cancel asked', run: cancelOf((stage) => stage.asked.claim.promotionId) },
  { name: 'cancel signed', run: cancelOf((stage) => stage.signed) },
  { name: 'cancel gated', run: cancelOf((stage) => stage.gated.claim.promotionId) },
  { name: 'cancel taking', run: cancelOf((stage) => stage.taking.claim.promotionId) },
  { name: 'cancel completing', run: cancelOf((stage) => stage.completing.claim.promotionId) },
  {
    name: 'retry',
    run: (world, stage) => command(on(world, stage), stage.orphan, 'olga', { kind: 'retry', reason: '' }),
  },
  {
    name: 'priority',
    run: (world, stage) =>
      command(on(world, stage), stage.orphan, 'olga', { kind: 'priority', priority: 'high', reason: '' }),
  },
  {
    name: 'release lock',
    isSkipping: true,
    run: (world, { place, lockId }) =>
      inTransaction(world, (tx) =>
        takeLock(tx, world, principalOf(place, 'olga'), { lockId, isForced: true, reason: '' }),
      ).then(() => 'released'),
  },
  { name: 'create', run: (world, stage) => create(on(world, stage), 'prod', 7) },
  { name: 'deploy', run: deployOne },
  { name: 'start rollback', run: goBack },
  {
    name: 'apply definitions',
    run: (world, stage) =>
      inTransaction(world, async (tx) => {
        const olga = principalOf(stage.place, 'olga');
        const definitions = [{ ...PROD, precheck: 'warn' as const }];
        const registries = [{ host: 'registry.example:5000', login: null, ca: null, isPlainHttp: false }];
        return [
          ...(await applyDefinitions(tx, olga, { definitions, isPruning: false, findCycle: () => null })),
          ...(await applyRegistries(tx, olga, { registries, isPruning: false })),
        ];
      }).then((changes) => changes.map((one) => one.change)),
  },
  { name: 'change setting', isSkipping: true, run: (world, stage) => set(on(world, stage), 'locks.timeout', 45_000) },
  {
    name: 'append to chain',
    isSkipping: true,
    run: (world) => world.sequencer.appendToChain(1_000).then(() => 'appended'),
  },
  {
    name: 'freeze',
    isSkipping: true,
    run: (world, stage) =>
      inTransaction(world, (tx) =>
        changeFreeze(tx, principalOf(stage.place, 'olga'), {
          environment: 'prod',
          wish: { kind: 'freeze', untilMs: null },
          reason: 'on air',
          seenVersion: null,
        }),
      ).then(() => 'frozen'),
  },
  {
    name: 'set quota limits',
    isSkipping: true,
    run: (world, stage) =>
      inTransaction(world, (tx) =>
        changeQuotaLimits(tx, principalOf(stage.place, 'olga'), {
          environment: 'quota',
          limits: [{ name: 'perDay', limit: 2 }],
          reason: '',
        }),
      ).then(() => 'limited'),
  },
  {
    name: 'request quota increase',
    run: (world, stage) =>
      inTransaction(world, (tx) =>
        requestQuotaIncrease(tx, principalOf(stage.place, 'olga'), {
          environment: 'quota',
          name: 'perDay',
          wanted: 9,
          reason: 'a full day',
        }),
      ).then(() => 'requested'),
  },
  {
    name: 'raise fence',
    isSkipping: true,
    run: (world, stage) =>
      inTransaction(world, (tx) =>
        raiseEnvironmentFence(tx, principalOf(stage.place, 'olga'), { environment: 'gated', seen: [], reason: '' }),
      ).then(() => 'raised'),
  },
  ...NOTICE_TRANSACTIONS,
  ...OBSERVATION_TRANSACTIONS,
];
