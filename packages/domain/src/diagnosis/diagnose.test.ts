/** What holds for every diagnosis: the same bytes, nothing without a fact, nothing on what is healthy, waits that end. */
import {
  ALICE,
  BOB,
  CAROL,
  caseOf,
  makeApprovalGate,
  makeDefinition,
  makeHttpGate,
  makeRelease,
  makeSoakGate,
  makeStage,
  makeWholeEnvironment,
  OLGA,
  type Stage,
} from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CAUSES,
  type DatabaseBlock,
  diagnose,
  type Diagnosis,
  type DiagnosisSnapshot,
  isTerminal,
  PROBE_CODES,
  PROBE_STAGES,
  type ProbeReport,
  type PromotionId,
  type PromotionStatus,
  type Verdict,
} from '../index.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A plain word, or a reason in quotes that is the person's to fill in. */
const EXECUTABLE = /^stella( [A-Za-z0-9_./:@=+-]+)+( --reason "…")?$/;
const WHOLE_ID = /\b(?:prm|lck|wrk)_[0-9a-f]+\b/g;

/** What no diagnosis may break, whatever it looks at. */
function checkShape(diagnosis: Diagnosis): void {
  for (const cause of diagnosis.causes) {
    expect(cause.facts.length, `facts of ${cause.code}`).toBeGreaterThan(0);
    expect(cause.remedies.length, `remedies of ${cause.code}`).toBeGreaterThan(0);
    expect(cause.title).toBe(CAUSES[cause.code].title);
    for (const fact of cause.facts) expect(fact.value).not.toBe('');
    for (const { command, kind } of cause.remedies) {
      if (command === null) {
        expect(kind).not.toBe('command');
        continue;
      }
      expect(command).toMatch(EXECUTABLE);
      for (const id of command.match(WHOLE_ID) ?? []) expect(id).toHaveLength(36);
    }
  }
  const isBare = diagnosis.verdict === 'healthy';
  if (isBare) expect(diagnosis.causes).toEqual([]);
  if (diagnosis.verdict === 'waiting') expect(diagnosis.causes.length).toBeGreaterThan(0);
  if (diagnosis.verdict === 'stalled') expect(diagnosis.causes.length).toBeGreaterThan(0);
}

function checkSame(whole: DiagnosisSnapshot): Diagnosis {
  const diagnosis = diagnose(whole);
  expect(JSON.stringify(diagnose(structuredClone(whole)))).toBe(JSON.stringify(diagnosis));
  checkShape(diagnosis);
  return diagnosis;
}

const ACTS = [
  'look',
  'answer',
  'slip',
  'fail',
  'approve',
  'skip',
  'second',
  'cancel',
  'retry',
  'die',
  'wait',
  'waitLong',
  'other',
] as const;
type Act = (typeof ACTS)[number];

function stageOfAll(): Stage {
  const gates = [makeHttpGate({ timeoutMs: MINUTE }), makeApprovalGate(), makeSoakGate({ durationMs: 5 * MINUTE })];
  const dev = makeWholeEnvironment('dev', makeRelease(5));
  return makeStage({
    definition: makeDefinition({ gates, promotesFrom: ['dev'] }),
    environment: makeWholeEnvironment('prod', makeRelease(1)),
    predecessors: [dev],
  });
}

/** Anything that may happen; what is not possible at the moment does not happen. */
function act(stage: Stage, id: PromotionId, what: Act): void {
  try {
    perform(stage, id, what);
  } catch {
    // Refused, because it stands elsewhere by now: that is a walk, too.
  }
}

function perform(stage: Stage, id: PromotionId, what: Act): void {
  const acts: Readonly<Record<Act, () => unknown>> = {
    look: () => stage.look(id),
    answer: () => stage.answerAll(id),
    slip: () => stage.answerAll(id, { outcome: 'timeout', code: 'gate.timeout', message: 'late' }),
    fail: () => stage.answerAll(id, { outcome: 'error', code: 'target.disk_full', message: 'full' }),
    approve: () => stage.approve(id, BOB),
    skip: () => stage.skip(id, OLGA, 'tests'),
    second: () => stage.decideSkip(id, CAROL, 'tests'),
    cancel: () => stage.cancel(id),
    retry: () => stage.retry(id),
    die: () => stage.takeOver(id),
    wait: () => stage.wait(15 * SECOND),
    waitLong: () => stage.wait(9 * MINUTE),
    other: () => stage.play(stage.create({ release: 6, requester: ALICE })),
  };
  acts[what]();
}

describe('a diagnosis on any walk', () => {
  it('gives the same bytes for the same snapshot, names nothing without a fact, and no command that cannot run', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ACTS), { maxLength: 25 }), (walk) => {
        const stage = stageOfAll();
        const id = stage.create();
        for (const what of walk) {
          act(stage, id, what);
          const diagnosis = checkSame(caseOf(stage, id));
          expect(diagnosis.verdict === 'ended').toBe(isTerminal(stage.of(id).promotion.status));
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('a promotion that goes well', () => {
  const shapes = fc.record({
    gateCount: fc.integer({ min: 0, max: 2 }),
    isApproved: fc.boolean(),
    isSoaked: fc.boolean(),
    mode: fc.constantFrom(0, 1),
    pauseMs: fc.integer({ min: 0, max: 15 * SECOND }),
    isSlippedOnce: fc.boolean(),
  });

  it('has no cause at any moment, but waits that say until when', () => {
    fc.assert(
      fc.property(shapes, ({ gateCount, isApproved, isSoaked, mode, pauseMs, isSlippedOnce }) => {
        const gates = [
          ...Array.from({ length: gateCount }, (_, n) => makeHttpGate({ name: `tests-${n}` })),
          ...(isApproved ? [makeApprovalGate()] : []),
          ...(isSoaked ? [makeSoakGate({ durationMs: 5 * MINUTE })] : []),
        ];
        const stage = makeStage({
          definition: makeDefinition({ gates, promotesFrom: ['dev'] }),
          predecessors: [makeWholeEnvironment('dev', makeRelease(5))],
          settings: { 'locks.mode': mode },
        });
        const id = stage.create();
        let hasSlipped = !isSlippedOnce;
        for (let step = 0; step < 40 && !isTerminal(stage.of(id).promotion.status); step += 1) {
          const isOpen = stage.of(id).attempts.some((one) => one.result === null);
          stage.wait(pauseMs);
          checkHealthy(stage, id);
          if (!isOpen) {
            const { step: at, status } = stage.of(id).promotion;
            if (at === 'evaluate_gates' && status === 'pending_approval') stage.approve(id, BOB);
            else if (status !== 'in_progress') stage.wait(5 * MINUTE);
            stage.wait(11 * SECOND);
            stage.look(id);
          } else if (!hasSlipped && stage.of(id).promotion.step === 'evaluate_gates') {
            hasSlipped = true;
            stage.answerAll(id, { outcome: 'error', code: 'gate.error', message: 'reset' });
          } else {
            stage.answerAll(id);
          }
          checkHealthy(stage, id);
        }
        expect(stage.of(id).promotion.status).toBe('completed');
      }),
      { numRuns: 100 },
    );
  });

  function checkHealthy(stage: Stage, id: PromotionId): void {
    const diagnosis = checkSame(caseOf(stage, id));
    expect(diagnosis.causes.filter((cause) => CAUSES[cause.code].nature === 'fault')).toEqual([]);
    const { status } = stage.of(id).promotion;
    expect(verdictsOf(status)).toContain(diagnosis.verdict);
    const untilMs = diagnosis.verdict === 'waiting' ? diagnosis.waitsUntilMs : stage.nowMs();
    expect(untilMs).toBeGreaterThanOrEqual(stage.nowMs() - MINUTE);
  }
});

function verdictsOf(status: PromotionStatus): readonly Verdict[] {
  if (isTerminal(status)) return ['ended'];
  return status === 'pending_approval' || status === 'scheduled' ? ['waiting'] : ['healthy', 'waiting'];
}

describe('a diagnosis of anything around a promotion', () => {
  const block = fc.record<DatabaseBlock>({
    row: fc.constantFrom('promotion', 'environment', 'other'),
    pid: fc.integer({ min: 1, max: 99_999 }),
    ageMs: fc.option(fc.integer({ min: 0, max: 100 * MINUTE })),
    query: fc.constantFrom('', 'update promotions set x = ?'),
    user: fc.constantFrom('', 'dba'),
    application: fc.constantFrom('', 'psql'),
    state: fc.constantFrom('', 'active'),
    waiterCount: fc.nat(3),
  });
  const around = fc.record({
    isReadOnly: fc.boolean(),
    readMs: fc.nat(9_000),
    connectionCount: fc.nat(100),
    freeBytes: fc.option(fc.nat()),
    blocks: fc.array(block, { maxLength: 3 }),
    clockAheadMs: fc.integer({ min: -20_000, max: 20_000 }),
    workerState: fc.constantFrom('live', 'dead', 'retired'),
    leaseMs: fc.integer({ min: -200_000, max: 15_000 }),
    waitMs: fc.nat(60 * MINUTE),
    probeCode: fc.constantFrom(...PROBE_CODES),
    probeStage: fc.constantFrom(...PROBE_STAGES),
    version: fc.constantFrom('1.0.0', '2.0.0'),
    walk: fc.array(fc.constantFrom(...ACTS), { maxLength: 10 }),
    isApproversKnown: fc.boolean(),
  });

  it('keeps to the same', () => {
    fc.assert(
      fc.property(around, (plan) => {
        const stage = stageOfAll();
        const id = stage.create();
        for (const what of plan.walk) act(stage, id, what);
        stage.wait(plan.waitMs);
        const whole = caseOf(stage, id);
        const probes = (['gate', 'target'] as const).map(
          (kind): ProbeReport => ({
            subject: { kind, environment: 'prod', name: kind === 'gate' ? 'tests' : 'web-1' },
            atMs: stage.nowMs(),
            isOk: false,
            stages: [
              { stage: plan.probeStage, outcome: 'failed', durationMs: 3, code: plan.probeCode, detail: 'said' },
            ],
          }),
        );
        const diagnosis = checkSame({
          ...whole,
          probes,
          approvers: plan.isApproversKnown ? whole.approvers : null,
          workers: whole.workers.map((one) => ({
            ...one,
            state: plan.workerState,
            version: plan.version,
            leaseUntilMs: stage.nowMs() + plan.leaseMs,
          })),
          database: {
            isReadOnly: plan.isReadOnly,
            readMs: plan.readMs,
            connectionCount: plan.connectionCount,
            connectionCountMax: 100,
            blocks: plan.blocks,
            disk: plan.freeBytes === null ? null : { path: '/var/lib/stella', freeBytes: plan.freeBytes },
          },
          server: { ...whole.server, clockAheadMs: plan.clockAheadMs },
        });
        expect(diagnosis.promotionId).toBe(id);
      }),
      { numRuns: 200 },
    );
  });
});
