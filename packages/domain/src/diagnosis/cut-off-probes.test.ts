/** Probes of a precheck that ended without a word, on a machine that is overloaded or at a restart of the server. */
import { caseOf, makeDefinition, makeStage, type Stage } from '@stella/testkit';
import { expect, it } from 'vitest';
import {
  type CauseCode,
  type Decision,
  diagnose,
  type Diagnosis,
  type ProbeStageName,
  type PromotionId,
} from '../index.ts';

function stageAtPrecheck(): { stage: Stage; id: PromotionId } {
  const stage = makeStage({ definition: makeDefinition() });
  const id = stage.create();
  stage.look(id);
  return { stage, id };
}

const codesOf = (diagnosis: Diagnosis): CauseCode[] => diagnosis.causes.map((cause) => cause.code);

it.each<['precheck_target' | 'precheck_artifact', string, string, CauseCode]>([
  ['precheck_target', 'web-1', 'target.interrupted', 'target.unreachable'],
  ['precheck_target', 'web-1', 'request.timeout', 'target.unreachable'],
  ['precheck_artifact', 'web', 'request.timeout', 'registry.unreachable'],
])('is nothing yet when the first %s of %s was cut off by %s, and %s by the second', (purpose, subject, by, code) => {
  const { stage, id } = stageAtPrecheck();
  const cutOff = (): Decision =>
    stage.answer(id, purpose, subject, { outcome: 'timeout', code: by, message: 'no answer within 10000 ms' });
  cutOff();
  stage.answerAll(id);
  expect(stage.of(id).promotion.step).toBe('precheck');
  expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'healthy', causes: [] });
  stage.wait(stage.of(id).settings['precheck.interval']);
  stage.look(id);
  cutOff();
  expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'stalled', causes: [{ code }] });
});

it('is target.unreachable by a first probe that was cut off when it is not tried again before a stall', () => {
  const { stage, id } = stageAtPrecheck();
  stage.answer(id, 'precheck_target', 'web-1', { outcome: 'timeout', code: 'request.timeout', message: 'nothing' });
  stage.answerAll(id);
  stage.wait(stage.of(id).settings['stuck.after']);
  expect(codesOf(diagnose(caseOf(stage, id)))).toContain('target.unreachable');
});

it('is target.unreachable at once by a network that does not answer, and nothing yet by a host that is slow', () => {
  const { stage, id } = stageAtPrecheck();
  const message = 'nothing within 10000 ms';
  stage.answer(id, 'precheck_target', 'web-1', { outcome: 'error', code: 'target.unreachable', message });
  stage.answerAll(id);
  const subject = { kind: 'target', environment: 'prod', name: 'web-1' } as const;
  const cutAt = (name: ProbeStageName): CauseCode[] => {
    const cut = { stage: name, outcome: 'failed', durationMs: 1, code: 'probe.timeout', detail: message } as const;
    const probes = [{ subject, atMs: stage.nowMs(), isOk: false, stages: [cut] }];
    return codesOf(diagnose(caseOf(stage, id, { probes })));
  };
  expect([cutAt('dns'), cutAt('tcp')]).toEqual([['target.unreachable'], ['target.unreachable']]);
  expect([cutAt('auth'), cutAt('path')]).toEqual([[], []]);
});

it('bug: takes no word of a target back because a later look at it was cut off', () => {
  const { stage, id } = stageAtPrecheck();
  stage.answer(id, 'precheck_target', 'web-1', { outcome: 'error', code: 'target.host_key', message: 'another key' });
  stage.answerAll(id);
  const subject = { kind: 'target', environment: 'prod', name: 'web-1' } as const;
  const cut = { stage: 'auth', outcome: 'failed', durationMs: 1, code: 'probe.timeout', detail: 'too slow' } as const;
  const probes = [{ subject, atMs: stage.nowMs(), isOk: false, stages: [cut] }];
  expect(codesOf(diagnose(caseOf(stage, id, { probes })))).toEqual(['target.host_key']);
});
