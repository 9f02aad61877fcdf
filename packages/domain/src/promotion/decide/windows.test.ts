import {
  ALICE,
  BOB,
  CAROL,
  makeApprovalGate,
  makeDefinition,
  makeWindowGate,
  OLGA,
  type Stage,
  type StagePlan,
  makeStage,
  TEST_EPOCH_MS,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { type EnvironmentFreeze, type PromotionId, toRfc3339 } from '../../index.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const clockOf = (atMs: number): string => toRfc3339(atMs).slice(11, 16);
/** Open from `fromMinutes` after the stage's beginning, for so long, every day. */
const openAfter = (fromMinutes: number, minutes: number) =>
  makeWindowGate({
    allow: [
      {
        days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
        from: clockOf(TEST_EPOCH_MS + fromMinutes * MINUTE_MS),
        to: clockOf(TEST_EPOCH_MS + (fromMinutes + minutes) * MINUTE_MS),
      },
    ],
  });

function stageWith(gates: NonNullable<StagePlan['definition']>['gates']): { stage: Stage; id: PromotionId } {
  const stage = makeStage({ definition: makeDefinition({ gates }) });
  return { stage, id: stage.create() };
}

/** As `environment freeze` and `unfreeze` write it. */
function freeze(stage: Stage, patch: Partial<EnvironmentFreeze> = {}): void {
  const place = stage.state.environments.get('prod');
  if (!place) throw new Error('there is no prod');
  const atMs = stage.nowMs();
  const made = { version: 1, reason: 'on air', by: 'olga', atMs, untilMs: null, endedAtMs: null, ...patch };
  stage.state.environments.set('prod', { ...place, freeze: made });
}

const runs = (stage: Stage, id: PromotionId, gate: string) => stage.of(id).gateRuns.filter((run) => run.gate === gate);

describe('a window', () => {
  it('is scheduled while it is closed, names when it opens, and passes then', () => {
    const { stage, id } = stageWith([openAfter(90, 60)]);
    stage.play(id);
    const opensAtMs = TEST_EPOCH_MS + 90 * MINUTE_MS;
    const { promotion, gateRuns } = stage.of(id);
    expect(promotion.status).toBe('scheduled');
    expect(promotion.nextActionAtMs).toBe(opensAtMs);
    expect(gateRuns).toMatchObject([{ state: 'waiting', dueAtMs: opensAtMs }]);
    expect(gateRuns[0]?.message).toContain(`opens ${toRfc3339(opensAtMs)}`);
    stage.wait(90 * MINUTE_MS);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('that closes before the deploy is asked again', () => {
    const { stage, id } = stageWith([openAfter(0, 10), makeApprovalGate()]);
    stage.play(id);
    expect(runs(stage, id, 'hours')).toMatchObject([{ state: 'passed' }]);
    stage.wait(10 * MINUTE_MS);
    stage.look(id);
    expect(stage.of(id).promotion.status).toBe('pending_approval');
    expect(runs(stage, id, 'hours').at(-1)).toMatchObject({ round: 2, state: 'waiting' });
    stage.approve(id, BOB);
    stage.look(id);
    expect(stage.of(id).promotion.status).toBe('scheduled');
    expect(runs(stage, id, 'hours')[0]).toMatchObject({ state: 'expired', message: 'window_closed' });
  });

  it('fails by its deadline when it never opens in time', () => {
    const { stage, id } = stageWith([{ ...openAfter(120, 10), deadlineMs: HOUR_MS }]);
    stage.play(id);
    stage.wait(HOUR_MS);
    stage.look(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'failed', ending: { code: 'gate.deadline' } });
  });

  it('can be skipped by two persons', () => {
    const { stage, id } = stageWith([openAfter(90, 60)]);
    stage.play(id);
    stage.skip(id, OLGA, 'hours');
    stage.decideSkip(id, BOB, 'hours');
    expect(stage.play(id).promotion.status).toBe('completed');
    expect(stage.of(id).debts).toMatchObject([{ gate: 'hours', kind: 'window', state: 'open' }]);
  });
});

describe('a freeze', () => {
  it('holds a promotion of an environment that has no window, and lets it go when it is over', () => {
    const { stage, id } = stageWith([]);
    freeze(stage);
    stage.play(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'scheduled', step: 'evaluate_gates' });
    expect(runs(stage, id, 'freeze')).toMatchObject([
      { kind: 'window', state: 'waiting', message: 'frozen by olga: on air' },
    ]);
    expect(stage.of(id).locks).toEqual([]);
    freeze(stage, { endedAtMs: stage.nowMs() });
    stage.wait(5 * MINUTE_MS);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('that comes after the gates passed is seen with the right to deploy; no lock is held meanwhile', () => {
    const { stage, id } = stageWith([openAfter(0, 600)]);
    stage.play(id, 'preflight');
    freeze(stage, { untilMs: stage.nowMs() + HOUR_MS });
    stage.answerAll(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'scheduled', step: 'evaluate_gates', ticket: null });
    expect(stage.of(id).locks).toEqual([]);
    expect(stage.of(id).attempts.filter((one) => one.purpose === 'deploy')).toEqual([]);
    stage.wait(HOUR_MS);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('does the same where no window is declared', () => {
    const { stage, id } = stageWith([]);
    stage.play(id, 'preflight');
    freeze(stage, { untilMs: stage.nowMs() + HOUR_MS });
    stage.answerAll(id);
    expect(stage.of(id).promotion).toMatchObject({ status: 'scheduled', step: 'evaluate_gates' });
    stage.wait(HOUR_MS);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('leaves a deploy that has begun alone', () => {
    const { stage, id } = stageWith([]);
    stage.play(id, 'deploy');
    freeze(stage);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('is passed in an emergency by a skip that was approved after it began, and by no earlier one', () => {
    const { stage, id } = stageWith([openAfter(90, 60)]);
    stage.play(id);
    stage.skip(id, OLGA, 'hours');
    stage.decideSkip(id, BOB, 'hours');
    stage.wait(1);
    freeze(stage);
    stage.look(id);
    expect(stage.of(id).promotion.status).toBe('scheduled');
    expect(stage.of(id).skips).toMatchObject([{ state: 'lapsed', message: 'it was approved before the freeze' }]);
    stage.skip(id, OLGA, 'hours');
    stage.decideSkip(id, CAROL, 'hours');
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('counts also when the definition of the promotion plans none, and its newest version does', () => {
    const { stage, id } = stageWith([]);
    const place = stage.state.environments.get('prod');
    if (!place) throw new Error('there is no prod');
    const from = toRfc3339(stage.nowMs()).slice(0, 16);
    const to = toRfc3339(stage.nowMs() + HOUR_MS).slice(0, 16);
    stage.state.environments.set('prod', {
      ...place,
      plannedFreezes: [{ from, to, zone: 'UTC', reason: 'inventory' }],
    });
    stage.play(id);
    expect(runs(stage, id, 'freeze')[0]?.message).toContain('frozen as planned: inventory');
    expect(stage.of(id).promotion.requestedBy).toEqual(ALICE.actor);
  });
});
