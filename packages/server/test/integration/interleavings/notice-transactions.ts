/** Notifications and debts for all pairs: what is owed on their stage, and the transactions that write about it. */
import { decide, NOTICE_TYPES, type NotificationChannel } from '@stella/domain';
import { makeApprovalGate, makeDefinition, makeHttpGate } from '@stella/testkit';
import { applyChannels } from '../../../src/engine/commands/apply-channels.ts';
import { retryDelivery } from '../../../src/engine/commands/retry-delivery.ts';
import { takeGateCallback } from '../../../src/engine/commands/take-callback.ts';
import type { DueDebt } from '../../../src/ports/debt-store.ts';
import type { Claim, OutcomeRecord } from '../../../src/ports/engine-store.ts';
import type { DueDelivery } from '../../../src/ports/notification-store.ts';
import {
  ACTOR,
  claimOne,
  command,
  create,
  goodResult,
  hire,
  inTransaction,
  type Place,
  play,
  principalOf,
  set,
  snapshotOf,
} from '../../contract/store-play.ts';
import type { StoreWorld } from '../../contract/store-world.ts';

const SECOND_MS = 1_000;
const TOLD = makeDefinition({ name: 'told', gates: [makeApprovalGate()] });
const STUCK = makeDefinition({ name: 'stuck', gates: [makeHttpGate()] });
const OWING = makeDefinition({ name: 'owing', gates: [makeHttpGate({ timeoutMs: SECOND_MS })] });
export const NOTICE_DEFINITIONS = [TOLD, STUCK, OWING];
const WISH = { limit: 10, channelLimit: 10, underWay: new Map<string, number>() };
/** After it, what a dead server has claimed is due again: a delivery, and a debt. */
const CLAIMS_END_AFTER_MS = 31_000;

function channelOf(name: string, patch: Partial<NotificationChannel> = {}): NotificationChannel {
  const url = 'http://127.0.0.1:9/x';
  const transport = { kind: 'webhook', url, secret: 'env:STELLA_SECRET_X', timeoutMs: SECOND_MS } as const;
  return { name, environments: ['*'], events: NOTICE_TYPES, transport, ...patch };
}

export interface NoticeStage {
  /** To `room`: given up; claimed by a server that is dead, and due again. One more is due, one was delivered. */
  readonly dead: DueDelivery;
  readonly lost: DueDelivery;
  /** In `owing`: claimed by a collector that is dead, and due again. */
  readonly debt: DueDebt;
  /** In `owing`: about to complete with its gate passed, which ends that debt. */
  readonly paying: { readonly claim: Claim; readonly outcomes: readonly OutcomeRecord[] };
}

/** Leaves one event that no channel has seen, and a stall that none has heard of. */
export async function setNoticeStage(place: Place): Promise<NoticeStage> {
  const { world } = place;
  await set(place, 'stuck.after', SECOND_MS);
  await inTransaction(world, (tx) =>
    applyChannels(tx, principalOf(place, 'olga'), {
      channels: [channelOf('mail', { events: ['promotion.stalled'] }), channelOf('room')],
      isPruning: false,
    }),
  );
  const { id: scout } = await hire(world);
  const reach = async (environment: string, n: number, step: string): Promise<Claim> => {
    await create(place, environment, n);
    const claim = await claimOne(world, scout);
    await play(world, claim, ({ promotion }) => promotion.step === step);
    return { ...claim, isTakeover: false, failureCount: 0 };
  };
  await reach('stuck', 1, 'evaluate_gates');
  for (const n of [1, 2, 3, 4]) await reach('told', n, 'never');
  await skipAndComplete(place, await reach('owing', 1, 'evaluate_gates'));
  const [debt] = (await world.debts.takeDueDebts(1)).due;
  while ((await world.sequencer.appendToChain(100)) > 0);
  await world.notifications.collectEvents(1_000);
  const [delivered, dead, lost] = await world.notifications.takeDueDeliveries({ ...WISH, limit: 3 });
  if (!debt || !delivered || !dead || !lost) throw new Error('too little is owed');
  await world.notifications.recordDelivery(delivered.delivery, { outcome: 'delivered', message: '' }, 0);
  await world.notifications.recordDelivery(dead.delivery, { outcome: 'refused', message: 'status 410' }, 0);
  await world.control.pass(CLAIMS_END_AFTER_MS);
  return { debt, dead, lost, paying: await beginPaying(place) };
}

async function skipAndComplete(place: Place, claim: Claim): Promise<void> {
  await command(place, claim.promotionId, 'olga', { kind: 'skip_gate', gate: 'tests', reason: 'down' });
  const word = { kind: 'approve', gate: null, skip: 'tests', reason: '' } as const;
  await command(place, claim.promotionId, 'bob', word);
  await play(place.world, claim);
}

/** With a worker of its own, which lives. Its events are in the chain, and seen by no channel. */
async function beginPaying(place: Place): Promise<NoticeStage['paying']> {
  const { world } = place;
  const { id: worker } = await hire(world);
  await create(place, 'told', 5);
  await play(world, await claimOne(world, worker));
  await create(place, 'owing', 2);
  const first = await claimOne(world, worker);
  await play(world, first, ({ promotion }) => promotion.step === 'verify');
  while ((await world.sequencer.appendToChain(100)) > 0);
  const snapshot = await snapshotOf(world, first.promotionId);
  const outcomes = snapshot.attempts
    .filter((attempt) => attempt.result === null)
    .map((attempt) => ({ operationId: attempt.operationId, result: goodResult(snapshot, attempt) }));
  return { claim: { ...first, isTakeover: false, failureCount: 0 }, outcomes };
}

interface NoticeTransaction {
  readonly name: string;
  readonly isSkipping?: boolean;
  run(world: StoreWorld, stage: { readonly place: Place; readonly notices: NoticeStage }): Promise<unknown>;
  settle?(world: StoreWorld): Promise<unknown>;
}

const applyOf =
  (channels: readonly NotificationChannel[], isPruning: boolean): NoticeTransaction['run'] =>
  (world, { place }) =>
    inTransaction(world, (tx) => applyChannels(tx, principalOf(place, 'olga'), { channels, isPruning })).then(
      (applied) => applied.map(({ channel, change }) => `${channel} ${change}`),
    );

/** What the service of the debt's gate says, in its words and by its id. */
const callOf =
  (verdict: 'passed' | 'failed', webhookId: string): NoticeTransaction['run'] =>
  (world, { notices: { debt } }) => {
    const { id, askCount, gateRunId, gate } = debt.debt;
    const { release, promotion } = debt.snapshot;
    const operationId = `${id}.${askCount}`;
    const said = { operationId, gateRunId, components: release.components, verdict, message: '' };
    const place = { promotionId: promotion.id, gateRunId, gate, isDebt: true };
    const order = { place, verdict: said, webhookId, body: '{}' };
    return inTransaction(world, (tx) => takeGateCallback(tx, world, order)).then(() => 'taken');
  };

const collect = (world: StoreWorld): Promise<string> =>
  world.notifications.collectEvents(1_000).then(() => 'collected');
const collectStalls = (world: StoreWorld): Promise<string> =>
  world.notifications.collectStalls(100).then(() => 'collected');

export const NOTICE_TRANSACTIONS: readonly NoticeTransaction[] = [
  // A channel that somebody holds is left to the next turn, which is played at the end.
  { name: 'collect notices', isSkipping: true, run: collect, settle: collect },
  { name: 'collect stalls', isSkipping: true, run: collectStalls, settle: collectStalls },
  {
    name: 'claim deliveries',
    isSkipping: true,
    run: async (world) => {
      const due = await world.notifications.takeDueDeliveries(WISH);
      return due.map(({ delivery }) => `${delivery.id} ${delivery.attemptCount}`);
    },
  },
  {
    name: 'record delivery',
    run: async (world, { notices }) => {
      const answer = { outcome: 'failed', message: 'status 500' } as const;
      return (await world.notifications.recordDelivery(notices.lost.delivery, answer, 0))?.state ?? 'late';
    },
  },
  {
    name: 'prune deliveries',
    isSkipping: true,
    run: (world) => world.notifications.pruneDeliveries(world.control.nowMs(), 100),
  },
  {
    name: 'retry delivery',
    run: (world, { place, notices }) =>
      inTransaction(world, (tx) => retryDelivery(tx, principalOf(place, 'olga'), notices.dead.delivery.id)).then(
        ({ state }) => state,
      ),
  },
  { name: 'apply channels', run: applyOf([channelOf('room', { environments: ['told'] }), channelOf('pager')], false) },
  { name: 'remove channels', run: applyOf([channelOf('other')], true) },
  {
    name: 'claim debts',
    isSkipping: true,
    run: async (world) => {
      const { due } = await world.debts.takeDueDebts(10);
      return due.map(({ debt }) => `${debt.id} ${debt.askCount}`);
    },
  },
  {
    name: 'record debt',
    run: async (world, { notices }) =>
      (await world.debts.recordAnswer(notices.debt.debt, { outcome: 'failed', message: 'no' }, ACTOR))?.state ?? 'late',
  },
  { name: 'call back debt', run: callOf('passed', 'msg_3') },
  { name: 'call back debt again', run: callOf('failed', 'msg_4') },
  {
    name: 'tick paying debt',
    isSkipping: true,
    run: async (world, { notices }) => {
      const { claim, outcomes } = notices.paying;
      return (await world.engine.tick(claim, outcomes, (...told) => decide(told[0], told[1], ACTOR, told[2]))).kind;
    },
  },
];

/** What is on its way to a channel that is not there would be delivered by nobody; zero rows. */
export const NOTICE_RULES: Readonly<Record<string, string>> = {
  'a delivery has its channel': `select 1 from stella.notifications n where state = 'pending'
    and not exists (select from stella.notification_channels c where c.name = n.channel)`,
};
