/** What every store must do with skips and with what they leave: who claims a debt, and which answers count. */
import type { GateDebt, PromotionId } from '@stella/domain';
import { makeApprovalGate, makeDefinition, makeHttpGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { DueDebt } from '../../src/ports/debt-store.ts';
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
  refusal,
  set,
  setUp,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

type GiveWorld = () => StoreWorld;

const TIMEOUT_MS = 120_000;
const GATED = makeDefinition({ name: 'gated', gates: [makeHttpGate({ timeoutMs: TIMEOUT_MS })] });

interface Owing {
  readonly place: Place;
  readonly id: PromotionId;
  readonly debt: GateDebt;
}

/** A promotion at its open gate, with a skip that was asked for. */
async function askToSkip(world: StoreWorld): Promise<{ place: Place; id: PromotionId }> {
  const place = await setUp(world, [GATED]);
  const { id: workerId } = await hire(world);
  const id = await create(place, 'gated');
  await play(world, await claimOne(world, workerId), ({ promotion }) => promotion.step === 'evaluate_gates');
  await command(place, id, 'olga', { kind: 'skip_gate', gate: 'tests', reason: 'down' });
  return { place, id };
}

/** A completed promotion whose approval is owed. */
async function oweApproval(world: StoreWorld): Promise<{ place: Place; id: PromotionId }> {
  const gate = makeApprovalGate({ skip: 'allowed' });
  const place = await setUp(world, [makeDefinition({ name: 'lax', gates: [gate] })]);
  const { id: workerId } = await hire(world);
  const id = await create(place, 'lax');
  await play(world, await claimOne(world, workerId));
  await command(place, id, 'olga', { kind: 'skip_gate', gate: 'sign', reason: 'away' });
  await command(place, id, 'bob', { kind: 'approve', gate: null, skip: 'sign', reason: '' });
  await play(world, await claimOne(world, workerId));
  return { place, id };
}

/** A completed promotion that used a skip. */
async function owe(world: StoreWorld, release = 1, before?: Place): Promise<Owing> {
  const place = before ?? (await setUp(world, [GATED]));
  const { id: workerId } = await hire(world);
  const id = await create(place, 'gated', release);
  const claim = await claimOne(world, workerId);
  await play(world, claim, ({ promotion }) => promotion.step === 'evaluate_gates');
  await command(place, id, 'olga', { kind: 'skip_gate', gate: 'tests', reason: 'down' });
  await command(place, id, 'bob', { kind: 'approve', gate: null, skip: 'tests', reason: '' });
  const { promotion, debts } = await play(world, { ...claim, isTakeover: false });
  expect(promotion.status).toBe('completed');
  const debt = debts.find((one) => one.promotionId === id);
  if (!debt) throw new Error('nothing is owed');
  return { place, id, debt };
}

async function takeTwice(world: StoreWorld): Promise<readonly DueDebt[]> {
  const taken = await Promise.all([world.debts.takeDueDebts(10), world.debts.takeDueDebts(10)]);
  return taken.flatMap(({ due }) => due);
}

export function describeDebtStore(world: GiveWorld): void {
  describe('a skip', () => {
    describeSkips(world);
  });
  describe('a debt', () => {
    describeDebts(world);
  });
}

function describeSkips(world: GiveWorld): void {
  it('is read as it was written, with the rights that its approver has now', async () => {
    const { place, id } = await askToSkip(world());
    await command(place, id, 'bob', { kind: 'approve', gate: null, skip: 'tests', reason: 'yes' });
    const { skips } = await snapshotOf(world(), id);
    expect(skips).toMatchObject([
      {
        state: 'approved',
        requesterSubject: 'olga',
        deciderSubject: 'bob',
        decisionReason: 'yes',
        expiresAtMs: world().control.nowMs() + 3_600_000,
        deciderBindingsNow: [{ role: 'approver', pattern: '*' }],
      },
    ]);
  });

  it('that took effect makes the answer of its gate late, which is kept without effect', async () => {
    const place = await setUp(world(), [GATED]);
    const { id: workerId } = await hire(world());
    const id = await create(place, 'gated');
    const claim = await claimOne(world(), workerId);
    const atGate = await play(world(), claim, ({ promotion }) => promotion.step === 'evaluate_gates');
    const asked = atGate.attempts.find((one) => one.purpose === 'gate');
    if (!asked) throw new Error('no gate was asked');
    await command(place, id, 'olga', { kind: 'skip_gate', gate: 'tests', reason: 'down' });
    await command(place, id, 'bob', { kind: 'approve', gate: null, skip: 'tests', reason: '' });
    const next = { ...claim, isTakeover: false };
    await tick(world(), next);
    const answer = { operationId: asked.operationId, result: goodResult(atGate, asked) };
    for (const outcomes of [[answer], [answer]]) await tick(world(), next, outcomes);
    const { outcomes = [] } = await world().control.dump();
    expect(outcomes.filter(({ operationId }) => operationId === asked.operationId)).toMatchObject([
      { isLate: false, code: 'gate.skipped' },
      { isLate: true, outcome: 'passed' },
    ]);
    expect((await snapshotOf(world(), id)).gateRuns).toMatchObject([{ state: 'skipped', verdict: null }]);
  });

  it('that has ended never changes, and two of one gate are never open', async () => {
    const { place, id } = await askToSkip(world());
    await command(place, id, 'bob', { kind: 'reject', gate: null, skip: 'tests', reason: 'no' });
    const { skips } = await snapshotOf(world(), id);
    const [ended] = skips;
    if (!ended) throw new Error('no skip');
    for (const state of ['rejected', 'lapsed'] as const) {
      const again = { ...ended, state, endedAtMs: world().control.nowMs() };
      expect(await refusal(writeSkips(world(), id, [again]))).toBe('ST001');
    }
    const open = { ...ended, state: 'requested' as const, decidedBy: null, decidedAtMs: null, endedAtMs: null };
    const two = [1, 2].map(() => ({ ...open, id: world().ids.next('skp') }));
    expect(await refusal(writeSkips(world(), id, two))).toBe('23505');
    const own = { ...open, id: world().ids.next('skp'), state: 'approved' as const, decidedBy: open.requestedBy };
    const approved = { ...own, decidedAtMs: open.requestedAtMs, expiresAtMs: open.requestedAtMs + 1_000 };
    expect(await refusal(writeSkips(world(), id, [approved]))).toBe('23514');
  });
}

/** As a decision that nothing decided. */
function writeSkips(
  world: StoreWorld,
  id: PromotionId,
  skips: Awaited<ReturnType<typeof snapshotOf>>['skips'],
): Promise<unknown> {
  return inTransaction(world, async (tx) => {
    const snapshot = await tx.lockPromotion(id);
    if (!snapshot) throw new Error('it is gone');
    const promotion = { ...snapshot.promotion, version: snapshot.promotion.version + 1 };
    await tx.writeDecision({
      needsGuard: false,
      promotion,
      steps: [],
      gateRuns: [],
      newAttempts: [],
      settledAttempts: [],
      newApprovals: [],
      skips,
      debts: [],
      takenLocks: [],
      releasedLocks: [],
      lockFence: null,
      environment: null,
      wakesEnvironment: false,
      wakesOlder: false,
      events: [],
      effects: [],
    });
  });
}

function describeDebts(world: GiveWorld): void {
  it('is claimed by one of those who look at once, and due again only after the asking must have ended', async () => {
    const { debt, id } = await owe(world());
    const [claimed, ...others] = await takeTwice(world());
    expect(others).toEqual([]);
    const nowMs = world().control.nowMs();
    expect(claimed).toMatchObject({ debt: { id: debt.id, askCount: 1 }, snapshot: { promotion: { id } }, nowMs });
    expect(claimed?.debt.dueAtMs).toBe(nowMs + TIMEOUT_MS + 30_000);
    expect(await takeTwice(world())).toEqual([]);
    await world().control.pass(TIMEOUT_MS + 30_000);
    expect(await takeTwice(world())).toMatchObject([{ debt: { askCount: 2 } }]);
  });

  it('takes no answer of a claim that another one followed, and none after its end', async () => {
    await owe(world());
    const [first] = await takeTwice(world());
    await world().control.pass(TIMEOUT_MS + 30_000);
    const [second] = await takeTwice(world());
    if (!first || !second) throw new Error('not claimed');
    const passed = { outcome: 'passed', message: 'fine\u0000\ud83d' } as const;
    expect(await world().debts.recordAnswer(first.debt, passed, ACTOR)).toBeNull();
    const paid = await world().debts.recordAnswer(second.debt, passed, ACTOR);
    expect(paid).toMatchObject({ state: 'paid', dueAtMs: null, message: 'fine\ufffd\ufffd' });
    expect(await world().debts.recordAnswer(second.debt, passed, ACTOR)).toBeNull();
    await world().control.pass(86_400_000);
    expect(await takeTwice(world())).toEqual([]);
  });

  it('is asked for again after the interval that is set, and tells of each other outcome once', async () => {
    const { place, debt, id } = await owe(world());
    await set(place, 'debts.interval', 5_000);
    for (const outcome of ['error', 'error', 'failed', 'passed'] as const) {
      const [claimed] = await takeTwice(world());
      if (!claimed) throw new Error('it was not due');
      await world().debts.recordAnswer(claimed.debt, { outcome, message: outcome }, ACTOR);
      await world().control.pass(5_000);
    }
    const events = (await world().control.dump())['events']?.filter((one) => one['subject'] === debt.id) ?? [];
    expect(events.map((one) => one['type'])).toEqual(['debt.opened', 'debt.asked', 'debt.asked', 'debt.paid']);
    const { promotion, debts } = await snapshotOf(world(), id);
    expect(promotion.status).toBe('completed');
    expect(debts).toMatchObject([{ state: 'paid', askCount: 4, lastOutcome: 'passed' }]);
  });

  it('is superseded by the next completion there, also while it is asked for', async () => {
    const { place, debt, id } = await owe(world());
    const [claimed] = await takeTwice(world());
    const next = await owe(world(), 2, place);
    expect((await snapshotOf(world(), id)).debts).toContainEqual(
      expect.objectContaining({ id: debt.id, state: 'superseded' }),
    );
    expect((await snapshotOf(world(), next.id)).debts.map((one) => one.id)).toEqual([next.debt.id]);
    if (!claimed) throw new Error('it was not due');
    expect(await world().debts.recordAnswer(claimed.debt, { outcome: 'passed', message: '' }, ACTOR)).toBeNull();
  });

  it('goes with its environment', async () => {
    const { debt } = await owe(world());
    const closed = await inTransaction(world(), async (tx) => {
      await tx.lockEnvironments();
      return tx.removeEnvironment('gated');
    });
    expect(closed).toMatchObject([{ id: debt.id, state: 'superseded', closedAtMs: world().control.nowMs() }]);
  });

  it('of an approval is looked at as soon as somebody approves', async () => {
    const { id, place } = await oweApproval(world());
    const [waiting] = await takeTwice(world());
    if (!waiting) throw new Error('it was not due');
    await world().debts.recordAnswer(waiting.debt, { outcome: 'waiting', message: '0 of 1 approved' }, ACTOR);
    expect(await takeTwice(world())).toEqual([]);
    await command(place, id, 'bob', { kind: 'approve', gate: 'sign', reason: 'seen' });
    const [again] = await takeTwice(world());
    expect(again?.snapshot.approvals).toMatchObject([{ subject: 'bob', gate: 'sign', decision: 'approved' }]);
    expect(await refusal(command(place, id, 'bob', { kind: 'approve', gate: 'sign', reason: '' }))).toBe(
      'approval.repeated',
    );
  });

  it('bug: of an approval is looked at again when somebody has approved while it was being asked', async () => {
    const { id, place } = await oweApproval(world());
    const [claimed] = await takeTwice(world());
    if (!claimed) throw new Error('it was not due');
    await command(place, id, 'bob', { kind: 'approve', gate: 'sign', reason: 'seen' });
    await world().debts.recordAnswer(claimed.debt, { outcome: 'waiting', message: '0 of 1 approved' }, ACTOR);
    const [again] = await takeTwice(world());
    expect(again?.snapshot.approvals).toMatchObject([{ subject: 'bob', gate: 'sign', decision: 'approved' }]);
  });
}
