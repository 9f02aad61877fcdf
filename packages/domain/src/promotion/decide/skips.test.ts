import {
  ALICE,
  BOB,
  CAROL,
  makeApprovalGate,
  makeAutomation,
  makeDefinition,
  makeHttpGate,
  makePrincipal,
  makeRelease,
  makeSoakGate,
  makeStage,
  makeWholeEnvironment,
  OLGA,
  personIdOf,
  type Stage,
} from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, isAppError, type Principal, type PromotionId, type SkipRule } from '../../index.ts';

const EXPIRE_MS = 60_000;

/** May ask and may approve. */
const PETER = makePrincipal('peter', 'operator@*', 'approver@*');
/** A token that bob has minted for a machine. */
const CI: Principal = { actor: makeAutomation('ci', 'bob'), bindings: makePrincipal('bob', 'admin@*').bindings };

function stageAtGate(skip?: SkipRule): { stage: Stage; id: PromotionId } {
  const gate = makeHttpGate(skip === undefined ? {} : { skip });
  const stage = makeStage({
    definition: makeDefinition({ gates: [gate] }),
    settings: { 'skips.expireAfter': EXPIRE_MS },
  });
  const id = stage.create();
  stage.play(id, 'evaluate_gates');
  return { stage, id };
}

function codeOf(run: () => unknown): ErrorCode | null {
  try {
    run();
    return null;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}

const gateState = (stage: Stage, id: PromotionId): string | undefined => stage.of(id).gateRuns.at(-1)?.state;
const skipStates = (stage: Stage, id: PromotionId): string[] => stage.of(id).skips.map((skip) => skip.state);

describe('a skip', () => {
  it('changes nothing by being asked for, and is named to whoever asks again', () => {
    const { stage, id } = stageAtGate();
    const before = stage.of(id);
    stage.skip(id, OLGA, 'tests');
    expect(stage.look(id)?.promotion.status).toBe(before.promotion.status);
    expect(stage.of(id).gateRuns).toEqual(before.gateRuns);
    expect(codeOf(() => stage.skip(id, PETER, 'tests'))).toBe('skip.exists');
    expect(stage.of(id).skips).toHaveLength(1);
  });

  it('steps around its gate when a second person approves it, and is used by the deploy', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    const decision = stage.look(id);
    expect(decision?.promotion.step).toBe('preflight');
    expect(gateState(stage, id)).toBe('skipped');
    // Whatever the service answers now is without effect: the question is settled.
    expect(decision?.settledAttempts).toMatchObject([{ result: { outcome: 'error', code: 'gate.skipped' } }]);
    stage.answerAll(id);
    expect(skipStates(stage, id)).toEqual(['used']);
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('gives way to a gate that passes with the same call, and leaves no debt', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    stage.answer(id, 'gate', 'tests', { outcome: 'passed' });
    expect(gateState(stage, id)).toBe('passed');
    expect(skipStates(stage, id)).toEqual(['lapsed']);
    stage.play(id);
    expect(stage.of(id).debts).toEqual([]);
  });

  it('keeps a promotion from ending by a no that comes after it', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    stage.answer(id, 'gate', 'tests', { outcome: 'failed', message: 'no' });
    expect(gateState(stage, id)).toBe('skipped');
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('lapses with its request when the gate passes first', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.answer(id, 'gate', 'tests');
    expect(stage.of(id).skips).toMatchObject([{ state: 'lapsed', message: 'the gate passed' }]);
    expect(codeOf(() => stage.decideSkip(id, BOB, 'tests'))).toBe('skip.not_found');
  });

  it('ends alone when it is rejected, before its approval and after it', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests', 'rejected');
    expect(stage.look(id)?.promotion.status).toBe('in_progress');
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    stage.look(id);
    stage.decideSkip(id, CAROL, 'tests', 'rejected');
    stage.answerAll(id);
    expect(stage.of(id).promotion).toMatchObject({ step: 'evaluate_gates', status: 'in_progress', ticket: null });
    expect(skipStates(stage, id)).toEqual(['rejected', 'rejected']);
    expect(stage.of(id).locks).toEqual([]);
  });

  it('lapses while other gates are open, wakes its promotion by then, and the gate is asked again in a new round', () => {
    const gates = [makeHttpGate(), makeApprovalGate()];
    const stage = makeStage({ definition: makeDefinition({ gates }), settings: { 'skips.expireAfter': EXPIRE_MS } });
    const id = stage.create();
    stage.play(id, 'evaluate_gates');
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    const waiting = stage.look(id)?.promotion;
    expect(waiting).toMatchObject({ status: 'pending_approval', nextActionAtMs: stage.nowMs() + EXPIRE_MS });
    stage.wait(EXPIRE_MS);
    stage.look(id);
    const { gateRuns, promotion } = stage.of(id);
    expect(gateRuns.filter((run) => run.gate === 'tests')).toMatchObject([
      { round: 1, state: 'expired', message: 'skip_lapsed' },
      { round: 2, state: 'evaluating' },
    ]);
    expect(promotion.status).toBe('in_progress');
  });

  it('may lapse more often than a verdict may expire', () => {
    const { stage, id } = stageAtGate();
    for (let count = 0; count < 5; count += 1) {
      stage.skip(id, OLGA, 'tests');
      stage.decideSkip(id, BOB, 'tests');
      stage.look(id);
      stage.wait(EXPIRE_MS);
      stage.answerAll(id);
    }
    expect(stage.of(id).promotion).toMatchObject({ status: 'in_progress', step: 'evaluate_gates' });
    expect(stage.play(id).promotion.status).toBe('completed');
  });

  it('is void when the environment gets another base, as an approval is', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    stage.look(id);
    stage.state.environments.set('prod', makeWholeEnvironment('prod', makeRelease(2), stage.nowMs()));
    stage.answerAll(id);
    expect(stage.of(id).promotion.step).toBe('evaluate_gates');
    expect(skipStates(stage, id)).toEqual(['lapsed']);
  });

  it('ends with its promotion', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.cancel(id);
    stage.look(id);
    expect(stage.of(id).skips).toMatchObject([{ state: 'lapsed', message: 'the promotion ended' }]);
    expect(codeOf(() => stage.skip(id, OLGA, 'tests'))).toBe('promotion.illegal_transition');
  });

  it('is of a gate that is open, with a reason', () => {
    const { stage, id } = stageAtGate();
    expect(codeOf(() => stage.skip(id, OLGA, 'tets'))).toBe('gate.not_found');
    expect(codeOf(() => stage.skip(id, OLGA, 'tests', ' '))).toBe('input.invalid');
    expect(codeOf(() => stage.decideSkip(id, BOB, 'tests'))).toBe('skip.not_found');
    stage.answer(id, 'gate', 'tests');
    expect(codeOf(() => stage.skip(id, OLGA, 'tests'))).toBe('promotion.illegal_transition');
  });

  it('ends a soak and its wait', () => {
    const place = makeWholeEnvironment('dev', makeRelease(5));
    const definition = makeDefinition({ promotesFrom: ['dev'], gates: [makeSoakGate()] });
    const stage = makeStage({ definition, predecessors: [place] });
    const id = stage.create();
    stage.play(id);
    expect(stage.of(id).promotion.status).toBe('scheduled');
    stage.skip(id, OLGA, 'soak');
    expect(stage.look(id)?.promotion.status).toBe('scheduled');
    stage.decideSkip(id, BOB, 'soak');
    expect(stage.play(id).promotion.status).toBe('completed');
  });
});

describe('a debt', () => {
  function completeWithSkip(): { stage: Stage; id: PromotionId } {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    stage.look(id);
    stage.play(id);
    return { stage, id };
  }

  it('remains when a promotion completes past a gate, due at once', () => {
    const { stage, id } = completeWithSkip();
    const { debts, skips } = stage.of(id);
    expect(debts).toMatchObject([{ gate: 'tests', state: 'open', dueAtMs: stage.nowMs(), skipId: skips[0]?.id }]);
  });

  it('is of no promotion that failed', () => {
    const { stage, id } = stageAtGate();
    stage.skip(id, OLGA, 'tests');
    stage.decideSkip(id, BOB, 'tests');
    stage.look(id);
    stage.play(id, 'deploy');
    stage.answerAll(id, { outcome: 'failed' });
    expect(stage.of(id)).toMatchObject({ promotion: { status: 'failed' }, debts: [], skips: [{ state: 'used' }] });
  });

  it('is superseded by the next release that completes there', () => {
    const { stage, id } = completeWithSkip();
    stage.wait(1_000);
    const next = stage.create({ release: 6 });
    expect(stage.play(next).promotion.status).toBe('completed');
    expect(stage.of(id).debts).toMatchObject([{ state: 'superseded', dueAtMs: null, closedAtMs: stage.nowMs() }]);
    expect(stage.of(next).debts).toEqual([]);
  });
});

describe('the rule of two persons', () => {
  const requesters: Readonly<Record<string, Principal>> = {
    alice: ALICE,
    // Counts as bob.
    ci: CI,
  };
  const people: Readonly<Record<string, Principal>> = {
    alice: ALICE,
    bob: BOB,
    carol: CAROL,
    olga: OLGA,
    peter: PETER,
    ci: CI,
  };
  const attempt = fc.record({
    requester: fc.constantFrom('alice', 'ci'),
    asker: fc.constantFrom(...Object.keys(people)),
    approver: fc.constantFrom(...Object.keys(people)),
    rule: fc.constantFrom(undefined, 'allowed' as const, 'forbidden' as const),
    waitMs: fc.constantFrom(0, 1, EXPIRE_MS - 1, EXPIRE_MS, EXPIRE_MS + 1),
    losesRight: fc.boolean(),
    isRebased: fc.boolean(),
  });

  it('lets a deploy pass a gate exactly when it should', () => {
    let passedCount = 0;
    fc.assert(
      fc.property(attempt, ({ requester, asker, approver, rule, waitMs, losesRight, isRebased }) => {
        const gate = makeHttpGate(rule === undefined ? {} : { skip: rule });
        const definition = makeDefinition({ gates: [gate] });
        const stage = makeStage({ definition, settings: { 'skips.expireAfter': EXPIRE_MS } });
        stage.state.persons.set(personIdOf('peter'), { subject: 'peter', bindings: PETER.bindings });
        const id = stage.create({ requester: requesters[requester] ?? ALICE });
        stage.play(id, 'evaluate_gates');
        codeOf(() => stage.skip(id, people[asker] ?? ALICE, 'tests'));
        codeOf(() => stage.decideSkip(id, people[approver] ?? ALICE, 'tests'));
        stage.look(id);
        const isSecond = approver !== asker && approver !== (requester === 'ci' ? 'bob' : requester);
        const canAsk = asker === 'olga' || asker === 'peter';
        const canApprove = approver !== 'olga' && approver !== 'ci';
        const isApproved = rule !== 'forbidden' && canAsk && canApprove && isSecond;
        expect(gateState(stage, id) === 'skipped').toBe(isApproved);
        if (!isApproved) return;
        stage.wait(waitMs);
        const person = personIdOf(approver);
        if (losesRight)
          stage.state.persons.set(person, { subject: approver, bindings: [{ role: 'approver', pattern: 'dev' }] });
        if (isRebased)
          stage.state.environments.set('prod', makeWholeEnvironment('prod', makeRelease(1), stage.nowMs()));
        stage.answerAll(id);
        const counts = waitMs < EXPIRE_MS && !losesRight && !isRebased;
        if (counts) passedCount += 1;
        expect(stage.of(id).promotion.step).toBe(counts ? 'deploy' : 'evaluate_gates');
        expect(skipStates(stage, id)).toEqual([counts ? 'used' : 'lapsed']);
      }),
      { numRuns: 250, seed: 20_261_126 },
    );
    expect(passedCount).toBeGreaterThan(0);
  });

  it.each([
    [OLGA, 'auth.forbidden'],
    [CI, 'auth.person_needed'],
    [ALICE, 'auth.own_request'],
    [PETER, 'auth.own_skip'],
  ] as const)('refuses the wrong second person by name: %#', (who, code) => {
    const { stage, id } = stageAtGate();
    stage.skip(id, PETER, 'tests');
    expect(codeOf(() => stage.decideSkip(id, who, 'tests'))).toBe(code);
    expect(skipStates(stage, id)).toEqual(['requested']);
  });

  it('keeps persons from being stepped around, unless the gate says so', () => {
    const deny = makeStage({ definition: makeDefinition({ gates: [makeApprovalGate()] }) });
    const first = deny.create();
    deny.play(first);
    expect(codeOf(() => deny.skip(first, OLGA, 'sign'))).toBe('skip.forbidden');
    const allow = makeStage({ definition: makeDefinition({ gates: [makeApprovalGate({ skip: 'allowed' })] }) });
    const second = allow.create();
    allow.play(second);
    allow.skip(second, OLGA, 'sign');
    allow.decideSkip(second, BOB, 'sign');
    expect(allow.play(second).promotion.status).toBe('completed');
  });
});
