/** What every `EngineStore` must do: the tick, outcomes, the guard, what is refused, set aside, and removed in time. */
import { type Decision, decide, type PromotionSnapshot } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { Claim, OutcomeRecord } from '../../src/ports/engine-store.ts';
import {
  ACTOR,
  begin,
  claimOne,
  command,
  create,
  GATED,
  goodResult,
  hire,
  inTransaction,
  LEASE_MS,
  play,
  refusal,
  releaseLockOf,
  set,
  setUp,
  SIGNED,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

type GiveWorld = () => StoreWorld;

export function describeEngineStore(world: GiveWorld): void {
  describe('a tick', () => {
    describeTicks(world);
  });
  describe('outcomes', () => {
    describeOutcomes(world);
  });
  describe('the guard', () => {
    describeGuard(world);
  });
  describe('constraints', () => {
    describeConstraints(world);
  });
  describe('what is set aside', () => {
    describeSetAside(world);
  });
  describe('retention', () => {
    describeRetention(world);
  });
}

function describeTicks(world: GiveWorld): void {
  it('shows everything, writes what was decided, and raises the version by one', async () => {
    const { id, claim } = await begin(world());
    const before = await snapshotOf(world(), id);
    const result = await tick(world(), claim, [], ({ snapshot, context, ended }) => {
      expect(snapshot.promotion).toEqual(before.promotion);
      expect(context).toEqual({ nowMs: world().control.nowMs(), guard: null, isTakeover: false });
      expect(ended).toEqual([]);
    });
    if (result.kind !== 'written') throw new Error('not written');
    const after = await snapshotOf(world(), id);
    expect(after.promotion).toEqual(result.decision.promotion);
    expect(after.promotion.version).toBe(before.promotion.version + 1);
  });

  it('plays a promotion to its end, and the environment runs the release then', async () => {
    const { place, id, claim } = await begin(world());
    const { promotion, environment, locks } = await play(world(), claim);
    expect(promotion).toMatchObject({ status: 'completed', workerId: null, nextActionAtMs: null, ticket: null });
    expect(environment).toMatchObject({ releaseId: place.releases[0]?.id, state: 'whole' });
    expect(locks).toEqual([]);
    const released = (await world().control.dump())['locks'] ?? [];
    expect(released.map((lock) => [lock['promotionId'], typeof lock['releasedAt']])).toEqual(
      released.map(() => [id, 'number']),
    );
  });

  it('of a lost claim writes nothing and keeps its outcomes as late, once', async () => {
    const { worker, id, claim } = await begin(world());
    const written = await tick(world(), claim);
    if (written.kind !== 'written') throw new Error('not written');
    const outcomes = written.decision.effects.map(
      (attempt): OutcomeRecord => ({ operationId: attempt.operationId, result: goodResult(written.snapshot, attempt) }),
    );
    await worker.end();
    const other = await hire(world());
    await world().engine.buryDeadWorkers(other.id);
    await claimOne(world(), other.id);
    const before = await snapshotOf(world(), id);
    for (let count = 0; count < 2; count += 1) {
      expect(await tick(world(), claim, outcomes)).toEqual({ kind: 'claim_lost' });
    }
    expect(await snapshotOf(world(), id)).toEqual(before);
    const kept = (await world().control.dump())['outcomes'] ?? [];
    expect(kept.map((one) => [one['operationId'], one['isLate']])).toEqual(
      outcomes.map((one) => [one.operationId, true]).sort(([a], [b]) => String(a).localeCompare(String(b))),
    );
  });

  it('of a claim that was given back is lost, and so is one of no promotion', async () => {
    const { worker, claim } = await begin(world());
    await world().engine.retireWorker(worker.id);
    expect(await tick(world(), claim)).toEqual({ kind: 'claim_lost' });
    expect(await tick(world(), { ...claim, promotionId: world().ids.next('prm') })).toEqual({ kind: 'claim_lost' });
  });

  it('leaves no trace when the rule throws: neither of what it decided, nor of the outcomes', async () => {
    const { id, claim } = await begin(world());
    const written = await tick(world(), claim);
    if (written.kind !== 'written') throw new Error('not written');
    const [attempt] = written.decision.effects;
    if (!attempt) throw new Error('no effect');
    const outcome = { operationId: attempt.operationId, result: goodResult(written.snapshot, attempt) };
    const before = await world().control.dump();
    const broken = world().engine.tick(claim, [outcome], () => {
      throw new Error('no');
    });
    await expect(broken).rejects.toThrow('no');
    expect(await world().control.dump()).toEqual(before);
    expect((await snapshotOf(world(), id)).attempts.every((one) => one.result === null)).toBe(true);
  });

  it('whose answer was lost is resolved by calling again: what was written is seen, and not written twice', async () => {
    const { claim } = await begin(world());
    const written = await tick(world(), claim);
    if (written.kind !== 'written') throw new Error('not written');
    const outcomes = written.decision.effects.map(
      (attempt): OutcomeRecord => ({ operationId: attempt.operationId, result: goodResult(written.snapshot, attempt) }),
    );
    world().control.loseNextCommit();
    expect(await refusal(tick(world(), claim, outcomes))).toBe('database.unavailable');
    const after = await snapshotOf(world(), claim.promotionId);
    expect(after.attempts.filter((one) => one.result !== null)).toHaveLength(outcomes.length);
    const again = await tick(world(), claim, outcomes, ({ snapshot, ended }) => {
      expect(ended).toEqual([]);
      expect(snapshot.promotion).toEqual(after.promotion);
    });
    expect(again.kind).toBe('written');
    expect((await world().control.dump())['outcomes']).toHaveLength(outcomes.length);
  });

  it('wakes those that wait for the environment', async () => {
    const { place, worker, claim } = await begin(world());
    await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    const waiting = await create(place, 'prod', 2);
    const { promotion } = await play(world(), await claimOne(world(), worker.id));
    expect(promotion).toMatchObject({ id: waiting, step: 'acquire_locks', workerId: null });
    const sleepsUntilMs = promotion.nextActionAtMs ?? 0;
    expect(sleepsUntilMs).toBeGreaterThan(world().control.nowMs());
    await releaseLockOf(place, claim.promotionId);
    const woken = await snapshotOf(world(), waiting);
    expect(woken.promotion.nextActionAtMs).toBe(world().control.nowMs());
    expect(woken.promotion.version).toBe(promotion.version + 1);
  });

  it('also wakes one whose row is held meanwhile by somebody who then writes nothing', async () => {
    const { place, worker, claim } = await begin(world());
    await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    const waiting = await create(place, 'prod', 2);
    const { promotion } = await play(world(), await claimOne(world(), worker.id));
    expect(promotion.nextActionAtMs).toBeGreaterThan(world().control.nowMs());
    let letGo = (): void => undefined;
    const isOver = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let hasRow = false;
    const refused = inTransaction(world(), async (tx) => {
      await tx.lockPromotion(waiting);
      hasRow = true;
      await isOver;
      throw new Error('refused');
    });
    await waitFor(() => Promise.resolve(hasRow), { timeoutMs: 10_000, why: 'somebody holds the row' });
    const released = releaseLockOf(place, claim.promotionId);
    const isEnded = async (): Promise<boolean> =>
      (await snapshotOf(world(), claim.promotionId)).promotion.status === 'failed';
    await waitFor(isEnded, { timeoutMs: 10_000, why: 'the lock is released' });
    letGo();
    await expect(refused).rejects.toThrow('refused');
    await released;
    const woken = await snapshotOf(world(), waiting);
    expect(woken.promotion.nextActionAtMs).toBeLessThanOrEqual(world().control.nowMs());
  });
}

function describeOutcomes(world: GiveWorld): void {
  const openAttempt = async (): Promise<{ claim: Claim; outcome: OutcomeRecord }> => {
    const { claim } = await begin(world());
    const written = await tick(world(), claim);
    if (written.kind !== 'written') throw new Error('not written');
    const [attempt] = written.decision.effects;
    if (!attempt) throw new Error('no effect');
    return { claim, outcome: { operationId: attempt.operationId, result: goodResult(written.snapshot, attempt) } };
  };

  it('count once, the first of them, whatever comes later', async () => {
    const { claim, outcome } = await openAttempt();
    const other = { ...outcome, result: { ...outcome.result, outcome: 'failed', code: 'x', message: 'no' } as const };
    await world().control.pass(5);
    const seen: (readonly string[])[] = [];
    await tick(world(), claim, [outcome, other], ({ ended }) => seen.push(ended));
    await tick(world(), claim, [other], ({ ended }) => seen.push(ended));
    expect(seen).toEqual([[outcome.operationId], []]);
    const { attempts } = await snapshotOf(world(), claim.promotionId);
    expect(attempts.find((one) => one.operationId === outcome.operationId)?.result).toEqual({
      ...outcome.result,
      endedAtMs: world().control.nowMs(),
    });
  });

  it('keep their output apart, with every character that can be stored', async () => {
    const { claim, outcome } = await openAttempt();
    const result = { ...outcome.result, message: 'a\u0000b\ud83d', output: 'c\u0000d\ude00' };
    await tick(world(), claim, [{ ...outcome, result }]);
    const { outputs, outcomes } = await world().control.dump();
    expect(outputs).toEqual([
      { operationId: outcome.operationId, output: 'c\ufffdd\ufffd', endedAt: world().control.nowMs() },
    ]);
    expect(outcomes?.[0]).toMatchObject({ message: 'a\ufffdb\ufffd' });
    const { attempts } = await snapshotOf(world(), claim.promotionId);
    expect(attempts.find((one) => one.operationId === outcome.operationId)?.result?.output).toBe('');
  });

  it('say what a target holds that the database does not know, until the fence is raised above it', async () => {
    const { claim, outcome } = await openAttempt();
    const fence = { epoch: 9, n: 1 };
    const holdings = [
      { fence, operation: null },
      { fence, operation: { fence, operationId: 'prm_lost.deploy.web.1' } },
      { fence: { epoch: 1, n: 0 }, operation: null },
      null,
    ];
    const tell = async (): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (const holds of holdings) {
        // Rolled back, so that the same outcome can be told again.
        const telling = tick(world(), claim, [{ ...outcome, result: { ...outcome.result, holds } }], ({ context }) => {
          seen.push(context.unknownHoldings?.map(({ lacks }) => lacks));
          throw new Error('look only');
        });
        await expect(telling).rejects.toThrow('look only');
      }
      return seen;
    };
    expect(await tell()).toEqual([['fence'], ['operation'], undefined, undefined]);
    const floor = await inTransaction(world(), async (tx) => {
      const locked = await tx.lockEnvironment('prod');
      if (!locked) throw new Error('no environment');
      const drawn = await tx.drawFenceAbove(fence);
      await tx.writeRaisedFence({ ...locked.status, state: 'unknown' }, drawn);
      return drawn;
    });
    expect(floor.epoch).toBe(10);
    expect(await tell()).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('of an operation that was never intended are refused', async () => {
    const { claim, outcome } = await openAttempt();
    expect(await refusal(tick(world(), claim, [{ ...outcome, operationId: 'nothing' }]))).toBe('23503');
  });
}

function describeGuard(world: GiveWorld): void {
  it('draws tickets and fences that only grow, and names who holds and who waits', async () => {
    const { place, worker, claim } = await begin(world());
    await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    await create(place, 'prod', 2);
    const waiting = await play(world(), await claimOne(world(), worker.id));
    const third = await create(place, 'prod', 3);
    const guards = [];
    for (let count = 0; count < 2; count += 1) {
      guards.push(
        await inTransaction(world(), async (tx) => {
          const locked = await tx.lockPromotion(third);
          if (!locked) throw new Error('no promotion');
          return (await tx.guard(locked)).guard;
        }),
      );
    }
    const [first, second] = guards;
    if (!first || !second) throw new Error('no guards');
    expect(first.holder).toMatchObject({ promotionId: claim.promotionId, isStale: false });
    expect(first.waiters).toEqual([
      { promotionId: waiting.promotion.id, ticket: waiting.promotion.ticket, priority: 'normal', components: ['web'] },
    ]);
    expect(second.ticket).toBeGreaterThan(first.ticket);
    expect(second.fence.epoch).toBe(first.fence.epoch);
    expect(second.fence.n).toBeGreaterThan(first.fence.n);
  });

  it('calls a holder stale for which nobody has worked for longer than a takeover lasts', async () => {
    const { claim } = await begin(world());
    const { locks } = await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    const lockId = locks.find((one) => one.mode === 'exclusive')?.id ?? world().ids.next('lck');
    const isStale = (): Promise<unknown> => inTransaction(world(), (tx) => tx.findLockHolder(lockId));
    const { promotionId } = claim;
    expect(await isStale()).toEqual({ promotionId, isStale: false });
    await world().control.pass(LEASE_MS + 19_000);
    expect(await isStale()).toEqual({ promotionId, isStale: false });
    await world().control.pass(2_000);
    expect(await isStale()).toEqual({ promotionId, isStale: true });
    expect(await inTransaction(world(), (tx) => tx.findLockHolder(world().ids.next('lck')))).toBeNull();
  });

  it('is asked for by the tick when its rule needs it, with a fresh snapshot', async () => {
    const { claim } = await begin(world());
    const seen: boolean[] = [];
    await tick(world(), claim);
    const { attempts, ...rest } = await snapshotOf(world(), claim.promotionId);
    const outcomes = attempts.map((attempt) => ({
      operationId: attempt.operationId,
      result: goodResult({ ...rest, attempts }, attempt),
    }));
    await tick(world(), claim, outcomes, ({ context }) => seen.push(context.guard !== null));
    expect(seen).toEqual([false, true]);
    const { locks } = await snapshotOf(world(), claim.promotionId);
    expect(locks.map((one) => one.mode).sort()).toEqual(['exclusive', 'shared']);
  });
}

type Change = (decision: Decision, snapshot: PromotionSnapshot) => Decision;

function describeConstraints(world: GiveWorld): void {
  /** Ticks with what the rule says, changed as a broken rule would. */
  const tickWrongly = (claim: Claim, change: Change): Promise<string> =>
    refusal(
      world().engine.tick(claim, [], (snapshot, context, ended) =>
        change(decide(snapshot, context, ACTOR, ended), snapshot),
      ),
    );

  it.each<[string, string, Change]>([
    ['a version that does not follow', 'promotion.version', (decision) => withPromotion(decision, { version: 9 })],
    ['an end without its time', '23514', (decision) => withPromotion(decision, { status: 'failed' })],
    ['a live one without a next action', '23514', (decision) => withPromotion(decision, { nextActionAtMs: null })],
    [
      'the same operation twice',
      '23505',
      (decision) => ({
        ...decision,
        newAttempts: decision.newAttempts.map((one) => ({ ...one, number: 1 })).flatMap((one) => [one, one]),
      }),
    ],
  ])('refuse %s', async (_what, code, change) => {
    const { claim } = await begin(world());
    const before = await world().control.dump();
    const isAttempt = code === '23505';
    const wrong: Change = (decision, snapshot) =>
      change(isAttempt && decision.newAttempts.length === 0 ? withRepeat(decision, snapshot) : decision, snapshot);
    expect(await tickWrongly(claim, wrong)).toBe(code);
    expect(await world().control.dump()).toEqual(before);
  });

  it('refuse a status that may not follow', async () => {
    const place = await setUp(world(), [SIGNED]);
    const worker = await hire(world());
    const id = await create(place, 'signed');
    const claim = await claimOne(world(), worker.id);
    expect((await play(world(), claim)).promotion.status).toBe('pending_approval');
    await command(place, id, 'bob', { kind: 'approve', gate: null, reason: '' });
    const again = await claimOne(world(), worker.id);
    expect(await tickWrongly(again, (decision) => withPromotion(decision, { status: 'cancelling' }))).toBe('ST001');
  });

  it('refuse every change of an ended promotion', async () => {
    const { place, claim } = await begin(world());
    await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    const held = await snapshotOf(world(), claim.promotionId);
    await releaseLockOf(place, claim.promotionId);
    const ended = await snapshotOf(world(), claim.promotionId);
    const again = inTransaction(world(), async (tx) => {
      await tx.lockPromotion(claim.promotionId);
      const decision = decide(held, { nowMs: tx.nowMs, ids: world().ids, guard: null, isTakeover: false }, ACTOR, []);
      await tx.writeDecision(withPromotion(decision, { ...ended.promotion, version: ended.promotion.version + 1 }));
    });
    expect(await refusal(again)).toBe('ST001');
    expect(await snapshotOf(world(), claim.promotionId)).toEqual(ended);
  });

  it('refuse to change a verdict', async () => {
    const place = await setUp(world(), [GATED]);
    const worker = await hire(world());
    const id = await create(place, 'gated');
    const claim = await claimOne(world(), worker.id);
    await play(world(), claim, ({ gateRuns }) => gateRuns.some((run) => run.verdict === 'passed'));
    const { gateRuns } = await snapshotOf(world(), id);
    const [run] = gateRuns;
    if (!run) throw new Error('no gate run');
    const flipped = { ...run, verdict: 'failed' as const };
    expect(await tickWrongly(claim, (decision) => ({ ...decision, gateRuns: [flipped] }))).toBe('ST001');
    expect((await snapshotOf(world(), id)).gateRuns).toEqual(gateRuns);
  });

  it('refuse a second holder of an exclusive resource', async () => {
    const { place, worker, claim } = await begin(world());
    const { locks } = await play(world(), claim, ({ promotion }) => promotion.step === 'deploy');
    const id = await create(place, 'prod', 2);
    const other = await claimOne(world(), worker.id);
    const taken = locks.map((lock) => ({ ...lock, id: world().ids.next('lck'), promotionId: id }));
    expect(await tickWrongly(other, (decision) => ({ ...decision, takenLocks: taken }))).toBe('23505');
    expect((await snapshotOf(world(), id)).locks).toEqual([]);
  });
}

function withPromotion(decision: Decision, fields: Partial<Decision['promotion']>): Decision {
  return { ...decision, promotion: { ...decision.promotion, ...fields } };
}

/** An intent that is there already. */
function withRepeat(decision: Decision, { attempts }: PromotionSnapshot): Decision {
  return { ...decision, newAttempts: attempts.map((one) => ({ ...one, result: null })) };
}

function describeSetAside(world: GiveWorld): void {
  it('gives its claim back with an event, is looked at again as a takeover, and is cleared by a good tick', async () => {
    const { worker, id, claim } = await begin(world());
    expect(await world().engine.setAside(claim, { message: 'poison', count: 5 }, ACTOR)).toBe(true);
    const { promotion } = await snapshotOf(world(), id);
    const setAside = { atMs: world().control.nowMs(), message: 'poison' };
    const nextActionAtMs = world().control.nowMs() + 10 * MINUTE_MS;
    expect(promotion).toMatchObject({ workerId: null, setAside, nextActionAtMs });
    const { events } = await world().control.dump();
    expect(events?.at(-1)).toMatchObject({
      type: 'promotion.set_aside',
      promotionSeq: promotion.chainLength,
      hash: promotion.chainHead,
      data: { message: 'poison', attempts: 5 },
    });
    await world().control.pass(10 * MINUTE_MS);
    await world().engine.renewLease(worker.id, LEASE_MS);
    const again = await claimOne(world(), worker.id);
    expect(again).toMatchObject({ isTakeover: true, failureCount: 0 });
    await tick(world(), again);
    expect((await snapshotOf(world(), id)).promotion.setAside).toBeNull();
  });

  it('is kept by what a person writes, and made due by it', async () => {
    const { place, id, claim } = await begin(world());
    await world().engine.setAside(claim, { message: 'poison', count: 5 }, ACTOR);
    await command(place, id, 'olga', { kind: 'cancel', reason: '' });
    const { promotion } = await snapshotOf(world(), id);
    expect(promotion.setAside?.message).toBe('poison');
    expect(promotion.nextActionAtMs).toBe(world().control.nowMs());
  });

  it('is nothing that a lost claim may do', async () => {
    const { worker, claim } = await begin(world());
    await worker.end();
    const other = await hire(world());
    await world().engine.buryDeadWorkers(other.id);
    await claimOne(world(), other.id);
    const before = await world().control.dump();
    expect(await world().engine.setAside(claim, { message: 'poison', count: 5 }, ACTOR)).toBe(false);
    expect(await world().control.dump()).toEqual(before);
  });
}

function describeRetention(world: GiveWorld): void {
  it('removes old output and old idempotency keys, and nothing younger', async () => {
    const { place, claim } = await begin(world());
    await set(place, 'retention.attemptOutput', 2 * DAY_MS);
    const written = await tick(world(), claim);
    if (written.kind !== 'written') throw new Error('not written');
    const [attempt] = written.decision.effects;
    if (!attempt) throw new Error('no effect');
    const result = { ...goodResult(written.snapshot, attempt), output: 'said' };
    await tick(world(), claim, [{ operationId: attempt.operationId, result }]);
    const key = { actorId: 'per_1', route: 'POST /test', key: 'k', bodyHash: claimHash(written.snapshot) };
    await world().commands.transact(key, () => Promise.resolve({ status: 200, body: {} }));
    await world().control.pass(2 * DAY_MS - 1);
    await world().engine.prune(10);
    expect(await world().control.dump()).toMatchObject({
      outputs: [{ output: 'said' }],
      idempotencyKeys: [{ key: 'k' }],
    });
    await world().control.pass(DAY_MS + 2);
    await world().engine.prune(10);
    expect(await world().control.dump()).toMatchObject({ outputs: [], idempotencyKeys: [] });
  });

  it('removes the events of promotions that ended long ago, once they are chained, and says so', async () => {
    const { place, id, claim } = await begin(world());
    await set(place, 'retention.events', DAY_MS);
    await play(world(), claim);
    await world().control.pass(2 * DAY_MS);
    const eventsOf = async (): Promise<number> =>
      (await world().control.dump())['events']?.filter((one) => one['promotionId'] === id).length ?? 0;
    const count = await eventsOf();
    await world().engine.prune(10);
    expect(await eventsOf()).toBe(count);
    await world().sequencer.appendToChain(1_000);
    await world().engine.prune(10);
    expect(await eventsOf()).toBe(0);
    const last = (await world().control.dump())['events']?.at(-1);
    expect(last).toMatchObject({ type: 'retention.pruned', data: { count } });
  });
}

function claimHash({ promotion }: PromotionSnapshot): PromotionSnapshot['promotion']['definitionHash'] {
  return promotion.definitionHash;
}
