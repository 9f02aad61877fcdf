/** Promotions of kind rollback and deploy: what they may overwrite, which gates they pass, what becomes of them. */
import {
  ALICE,
  BOB,
  makeApprovalGate,
  makeDefinition,
  makeHttpGate,
  makeRelease,
  makeStage,
  makeWholeEnvironment,
  type Stage,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../errors/app-error.ts';
import type { GateDefinition } from '../../environment/environment-definition.ts';
import type { PromotionId } from '../../values/ids.ts';

const BACK = { kind: 'rollback', isForced: false, hasCompletedHere: true } as const;
const FORCED = { kind: 'deploy', isForced: true, hasCompletedHere: false } as const;

/** Release 5 runs in prod. */
function stageWith(
  gates: readonly GateDefinition[] = [],
  more: Partial<Parameters<typeof makeDefinition>[0]> = {},
): Stage {
  return makeStage({
    definition: makeDefinition({ gates: [...gates], ...more }),
    environment: makeWholeEnvironment('prod', makeRelease(5)),
  });
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'nothing';
};
const gatesIn = (stage: Stage, id: PromotionId): string[] => stage.of(id).gateRuns.map((run) => run.gate);

describe('a rollback', () => {
  it('puts an older release over a newer one, which becomes the base of what comes next', () => {
    const stage = stageWith();
    const id = stage.create({ release: 3, way: BACK });
    expect(stage.of(id).promotion).toMatchObject({ kind: 'rollback', baseReleaseId: makeRelease(5).id });
    const { promotion, environment } = stage.play(id);
    expect(promotion.status).toBe('completed');
    expect(environment).toMatchObject({ releaseId: makeRelease(3).id, releaseNumber: 3, state: 'whole' });
    expect(stage.play(stage.create({ release: 4 })).promotion.status).toBe('completed');
  });

  it('asks persons and what wants to be asked, and no other machine again', () => {
    const stage = stageWith([
      makeHttpGate({ name: 'tests' }),
      makeHttpGate({ name: 'ticket', onRollback: 'ask' }),
      makeApprovalGate({ name: 'sign' }),
    ]);
    const id = stage.create({ release: 3, way: BACK });
    stage.play(id);
    expect(gatesIn(stage, id)).toEqual(['ticket', 'sign']);
    expect(stage.of(id).promotion.status).toBe('pending_approval');
    expect(codeOf(() => stage.approve(id, ALICE))).not.toBe('nothing');
    stage.approve(id, BOB);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('goes over nothing but what it was asked to take away', () => {
    const stage = stageWith([makeApprovalGate({ name: 'sign' })]);
    const back = stage.create({ release: 3, way: BACK });
    stage.play(back);
    const cure = stage.create({ release: 6 });
    stage.play(cure);
    stage.approve(cure, BOB);
    expect(stage.play(cure).promotion.status).toBe('completed');
    stage.look(back);
    expect(stage.of(back).promotion).toMatchObject({ status: 'superseded', ending: { code: 'promotion.overtaken' } });
  });

  it('that fails at a target brings nothing back that it was to take away: the environment is mixed, the same release cures it', () => {
    const stage = stageWith([], { onFailure: 'rollback' });
    const id = stage.create({ release: 3, way: BACK });
    stage.play(id, 'deploy');
    stage.answerAll(id, { outcome: 'failed', code: 'target.disk_full', message: 'no space' });
    const failed = stage.play(id);
    expect(failed.promotion).toMatchObject({ status: 'failed', ending: { code: 'deploy.failed' } });
    expect(failed.steps.some((one) => one.step === 'rollback')).toBe(false);
    expect(failed.environment).toMatchObject({ state: 'mixed', releaseId: makeRelease(5).id });
    stage.wait(1_000);
    const again = stage.create({ release: 5, way: BACK });
    expect(stage.play(again).environment).toMatchObject({ state: 'whole', releaseId: makeRelease(5).id });
  });

  it('is refused for what never completed there, for what is newer, and for what runs', () => {
    const stage = stageWith();
    const never = { ...BACK, hasCompletedHere: false };
    expect(codeOf(() => stage.create({ release: 3, way: never }))).toBe('rollback.never_completed');
    expect(codeOf(() => stage.create({ release: 6, way: BACK }))).toBe('rollback.not_older');
    expect(codeOf(() => stage.create({ release: 5, way: BACK }))).toBe('promotion.same_as_base');
  });
});

describe('a deploy', () => {
  const predecessor = makeWholeEnvironment('dev', makeRelease(5));

  it('passes by the predecessors only when it is forced, and soaks in none of them then', () => {
    const definition = makeDefinition({ promotesFrom: ['dev'], gates: [makeHttpGate({ name: 'tests' })] });
    const stage = makeStage({ definition, environment: makeWholeEnvironment('prod', makeRelease(5)) });
    const plain = { ...FORCED, isForced: false };
    expect(codeOf(() => stage.create({ release: 6, way: plain }))).toBe('deploy.not_in_predecessor');
    const id = stage.create({ release: 6, way: FORCED });
    expect(stage.play(id).promotion).toMatchObject({ status: 'completed', kind: 'deploy', isForced: true });
    expect(gatesIn(stage, id)).toEqual(['tests']);
  });

  it('may bring an older release, and what completed before in whatever release', () => {
    const definition = makeDefinition({ promotesFrom: ['dev'] });
    const environment = makeWholeEnvironment('prod', makeRelease(5));
    const stage = makeStage({ definition, environment, predecessors: [predecessor] });
    const id = stage.create({ release: 2, way: { ...FORCED, isForced: false } });
    expect(stage.play(id).environment).toMatchObject({ releaseNumber: 2, state: 'whole' });
  });
});
