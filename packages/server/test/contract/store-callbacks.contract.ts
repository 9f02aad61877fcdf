/** What every store must do with questions that were taken, and with verdicts that come by callback. */
import type { Claim } from '../../src/ports/engine-store.ts';
import type { Attempt, PromotionId } from '@stella/domain';
import { makeDefinition, makeHttpGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { takeGateCallback } from '../../src/engine/commands/take-callback.ts';
import {
  claimOne,
  command,
  create,
  hire,
  inTransaction,
  type Place,
  play,
  set,
  setUp,
  snapshotOf,
  tick,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

type GiveWorld = () => StoreWorld;

const TIMEOUT_MS = 120_000;
const DAY_MS = 86_400_000;
const CALLED = makeDefinition({
  name: 'called',
  gates: [makeHttpGate({ timeoutMs: TIMEOUT_MS, callback: { secret: 'env:STELLA_SECRET_TESTS' } })],
});
const TAKEN = {
  outcome: 'acknowledged',
  code: '',
  message: 'took the question',
  output: '',
  digest: null,
  sealed: null,
} as const;

interface Waiting {
  readonly place: Place;
  readonly id: PromotionId;
  readonly claim: Claim;
  readonly attempt: Attempt;
}

/** At its gate, whose question is under way. */
async function askGate(world: StoreWorld): Promise<Waiting> {
  const place = await setUp(world, [CALLED]);
  const { id: workerId } = await hire(world);
  const id = await create(place, 'called');
  const claim = await claimOne(world, workerId);
  const { attempts } = await play(world, claim, ({ promotion }) => promotion.step === 'evaluate_gates');
  const attempt = attempts.find((one) => one.purpose === 'gate');
  if (!attempt) throw new Error('nothing was asked');
  return { place, id, claim: { ...claim, isTakeover: false }, attempt };
}

async function callBack(
  { place, id, attempt }: Waiting,
  { verdict = 'passed', webhookId = 'msg_1' }: { verdict?: 'passed' | 'failed'; webhookId?: string } = {},
): Promise<void> {
  const { release } = await snapshotOf(place.world, id);
  const gateRunId = attempt.gateRunId;
  if (gateRunId === null) throw new Error('an attempt at a gate names its run');
  const { operationId } = attempt;
  await inTransaction(place.world, (tx) =>
    takeGateCallback(tx, place.world, {
      place: { promotionId: id, gateRunId, gate: 'tests', isDebt: false },
      verdict: { operationId, gateRunId, components: release.components, verdict, message: 'said so' },
      webhookId,
      body: '{}',
    }),
  );
}

function describeTaking(world: GiveWorld): void {
  it('gives the claim of a taken question back, and keeps the moment that was first', async () => {
    const waiting = await askGate(world());
    const outcomes = [{ operationId: waiting.attempt.operationId, result: TAKEN }];
    const result = await tick(world(), waiting.claim, outcomes);
    expect(result).toMatchObject({ kind: 'written', decision: { promotion: { workerId: null }, effects: [] } });
    const { attempts } = await snapshotOf(world(), waiting.id);
    const kept = attempts.find((one) => one.purpose === 'gate');
    expect(kept).toMatchObject({ result: null });
    expect(kept?.acknowledgedAtMs).toEqual(expect.any(Number));
  });

  it('takes a verdict with its outcome and its wake-up in one, before the question was taken or after', async () => {
    const waiting = await askGate(world());
    await callBack(waiting);
    const { attempts } = await snapshotOf(world(), waiting.id);
    expect(attempts.find((one) => one.purpose === 'gate')?.result).toMatchObject({
      outcome: 'passed',
      message: 'said so',
    });
    const outcomes = [{ operationId: waiting.attempt.operationId, result: TAKEN }];
    const result = await tick(world(), waiting.claim, outcomes);
    expect(result).toMatchObject({ kind: 'written', decision: { gateRuns: [{ verdict: 'passed' }] } });
  });

  it('takes each id once, and one verdict for each operation', async () => {
    const waiting = await askGate(world());
    await callBack(waiting, { verdict: 'failed' });
    await expect(callBack(waiting, { verdict: 'failed' })).rejects.toMatchObject({ code: 'callback.replayed' });
    await expect(callBack(waiting, { webhookId: 'msg_2' })).rejects.toMatchObject({ code: 'callback.void' });
    const { attempts } = await snapshotOf(world(), waiting.id);
    expect(attempts.find((one) => one.purpose === 'gate')?.result).toMatchObject({ outcome: 'failed' });
  });

  it('keeps nothing of a callback that is refused', async () => {
    const waiting = await askGate(world());
    const other = { ...waiting.attempt, gateRunId: world().ids.next('gtr') };
    await expect(callBack({ ...waiting, attempt: other })).rejects.toThrow(
      /gate_callbacks_gate_run_id_fkey|not that of the question/,
    );
    await callBack(waiting);
  });

  it('lets of two that come at once only one count', async () => {
    const waiting = await askGate(world());
    const both = await Promise.allSettled([
      callBack(waiting, { webhookId: 'msg_1', verdict: 'passed' }),
      callBack(waiting, { webhookId: 'msg_2', verdict: 'failed' }),
    ]);
    expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('tells whoever asks for a debt what came', async () => {
    const waiting = await askGate(world());
    const { operationId } = waiting.attempt;
    expect(await world().debts.findCallback(operationId)).toBeNull();
    await callBack(waiting);
    expect(await world().debts.findCallback(operationId)).toEqual({ outcome: 'passed', message: 'said so' });
  });
}

function describeForgetting(world: GiveWorld): void {
  it('goes after its time, and what was taken with it once the promotion has ended', async () => {
    const waiting = await askGate(world());
    const { operationId } = waiting.attempt;
    await set(waiting.place, 'retention.attemptOutput', DAY_MS);
    await tick(world(), waiting.claim, [{ operationId, result: TAKEN }]);
    await callBack(waiting);
    const kept = async (): Promise<unknown> => {
      const { attempts } = await snapshotOf(world(), waiting.id);
      const isTaken = attempts.find((one) => one.operationId === operationId)?.acknowledgedAtMs !== null;
      return { isTaken, said: (await world().debts.findCallback(operationId))?.message ?? null };
    };
    await world().control.pass(DAY_MS - 1);
    await world().engine.prune(10);
    expect(await kept()).toEqual({ isTaken: true, said: 'said so' });
    await world().control.pass(2);
    await world().engine.prune(10);
    expect(await kept()).toEqual({ isTaken: true, said: null });
    await command(waiting.place, waiting.id, 'olga', { kind: 'cancel', reason: '' });
    const { id: workerId } = await hire(world());
    await play(world(), await claimOne(world(), workerId));
    await world().engine.prune(10);
    expect(await kept()).toEqual({ isTaken: false, said: null });
  });
}

export function describeCallbackStore(world: GiveWorld): void {
  describe('a callback', () => {
    describeTaking(world);
    describeForgetting(world);
  });
}
