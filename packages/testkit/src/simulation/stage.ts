/**
 * A small stage for examples: one environment, as many promotions as a test makes, one worker, and a clock that the test
 * moves. The test says what comes of each effect; every write is checked by the same rules as in the simulation.
 */
import {
  type Attempt,
  type AttemptOutcome,
  type AttemptPurpose,
  type AttemptResult,
  cancelPromotion,
  compareFences,
  decide,
  decideApproval,
  decideSkip,
  type DecideContext,
  type Decision,
  type EnvironmentDefinition,
  type EnvironmentStatus,
  planPromotion,
  type Principal,
  type Priority,
  type PromotionId,
  type PromotionWay,
  type PromotionSnapshot,
  type Release,
  requestSkip,
  retryPromotion,
  type Settings,
  STANDARD_SETTINGS,
  type Step,
  type TargetHolding,
  isTerminal,
  promisedDigestOf,
} from '@stella/domain';
import {
  makeDefinition,
  makeEmptyEnvironment,
  makePrincipal,
  makeRelease,
  personIdOf,
  releaseIdOf,
} from '../fixtures.ts';
import { makeSeededIds, TEST_EPOCH_MS } from '../seeded-ids.ts';
import { baseIn, readPredecessors, readSnapshot } from '../memory/memory-reads.ts';
import {
  makeMemoryState,
  type MemoryState,
  putEnvironment,
  putWorker,
  releaseOf,
  rowOf,
} from '../memory/memory-state.ts';
import { committedView } from '../memory/memory-transaction.ts';
import { makeMemoryStore, type MemoryClaim, type MemoryStore } from './memory-store.ts';
import { makeWriteRules } from './write-rules.ts';

export interface StagePlan {
  readonly definition?: EnvironmentDefinition;
  /** What it runs at first; default: nothing. */
  readonly environment?: EnvironmentStatus;
  /** Other environments, by what they run; every release has completed there once. */
  readonly predecessors?: readonly EnvironmentStatus[];
  readonly settings?: Partial<Settings>;
  /** Instead of those of the same number, which carry `web`. */
  readonly releases?: readonly Release[];
}

export interface PromotionPlan {
  /** Number of the release; default 5. */
  readonly release?: number;
  readonly priority?: Priority;
  readonly requester?: Principal;
  /** Default: promoted. */
  readonly way?: PromotionWay;
}

export interface EffectPatch extends Partial<Omit<AttemptResult, 'outcome'>> {
  readonly outcome?: AttemptOutcome | 'acknowledged';
  /** What the target says that it holds; nothing unless given. */
  readonly holds?: TargetHolding;
}

export interface Stage {
  readonly state: MemoryState;
  nowMs(): number;
  wait(durationMs: number): void;
  create(plan?: PromotionPlan): PromotionId;
  of(id: PromotionId): PromotionSnapshot;
  /** A worker looks at it; null when it is not due and nobody has the claim. */
  look(id: PromotionId): Decision | null;
  /** Ends one open effect, well unless the patch says otherwise. */
  answer(id: PromotionId, purpose: AttemptPurpose, subject: string, patch?: EffectPatch): Decision;
  /** Ends all open effects in one go, well unless the patch says otherwise. */
  answerAll(id: PromotionId, patch?: EffectPatch): Decision;
  /** Everything goes well until the promotion has entered the step, or has ended, or waits. */
  play(id: PromotionId, until?: Step): PromotionSnapshot;
  /** Its worker dies, another one takes over. */
  takeOver(id: PromotionId): Decision;
  command(
    id: PromotionId,
    rule: (snapshot: PromotionSnapshot, context: DecideContext) => Decision,
    isGuarded?: boolean,
  ): Decision;
  approve(id: PromotionId, who: Principal, gate?: string): Decision;
  reject(id: PromotionId, who: Principal, reason?: string): Decision;
  skip(id: PromotionId, who: Principal, gate: string, reason?: string): Decision;
  decideSkip(id: PromotionId, who: Principal, gate: string, decision?: 'approved' | 'rejected'): Decision;
  cancel(id: PromotionId): Decision;
  retry(id: PromotionId): Decision;
}

/** Requests promotions. */
export const ALICE = makePrincipal('alice', 'releaser@*', 'approver@*');
export const BOB = makePrincipal('bob', 'approver@*');
export const CAROL = makePrincipal('carol', 'approver@*');
export const OLGA = makePrincipal('olga', 'operator@*');

/** Releases 1 to 9 exist on every stage. */
const RELEASE_COUNT = 9;
/** Playing a promotion to its end takes fewer looks; more would be a circle. */
const LOOK_COUNT_MAX = 50;

interface StageState {
  readonly store: MemoryStore;
  readonly state: MemoryState;
  readonly definition: EnvironmentDefinition;
  readonly claims: Map<PromotionId, MemoryClaim>;
  nowMs: number;
  workerNumber: number;
}

export function makeStage(plan: StagePlan = {}): Stage {
  const state = makeMemoryState({ ...STANDARD_SETTINGS, ...plan.settings });
  const definition = plan.definition ?? makeDefinition();
  const rules = makeWriteRules(state);
  const store = makeMemoryStore(state, { seed: 1, onWrite: (record) => rules.check(record) });
  const stage: StageState = { store, state, definition, claims: new Map(), nowMs: TEST_EPOCH_MS, workerNumber: 0 };
  setUp(stage, plan);
  return {
    state,
    nowMs: () => stage.nowMs,
    wait: (durationMs) => {
      stage.nowMs += durationMs;
    },
    create: (wish = {}) => create(stage, wish),
    of: (id) => readSnapshot(state, id),
    look: (id) => look(stage, id, []),
    answer: (id, purpose, subject, patch = {}) =>
      answer(stage, id, patch, (one) => one.purpose === purpose && one.subject === subject),
    answerAll: (id, patch = {}) => answer(stage, id, patch, () => true),
    play: (id, until) => play(stage, id, until ?? null),
    takeOver: (id) => takeOver(stage, id),
    command: (id, rule, isGuarded = false) => store.command(id, isGuarded, rule, stage.nowMs),
    ...commandsOf(stage),
  };
}

function commandsOf(stage: StageState): Pick<Stage, 'approve' | 'reject' | 'skip' | 'decideSkip' | 'cancel' | 'retry'> {
  const run: Stage['command'] = (id, rule) => stage.store.command(id, false, rule, stage.nowMs);
  return {
    approve: (id, who, gate) =>
      run(id, (before, context) =>
        decideApproval(before, context, who, { decision: 'approved', gate: gate ?? null, reason: '' }),
      ),
    reject: (id, who, reason = 'no') =>
      run(id, (before, context) => decideApproval(before, context, who, { decision: 'rejected', gate: null, reason })),
    skip: (id, who, gate, reason = 'the service is down') =>
      run(id, (before, context) => requestSkip(before, context, who, { gate, reason })),
    decideSkip: (id, who, gate, decision = 'approved') =>
      run(id, (before, context) => decideSkip(before, context, who, { decision, gate, reason: '' })),
    cancel: (id) => run(id, (before, context) => cancelPromotion(before, context, OLGA, 'not now')),
    retry: (id) => run(id, (before, context) => retryPromotion(before, context, OLGA, 'mended')),
  };
}

function setUp(stage: StageState, plan: StagePlan): void {
  const { state, definition } = stage;
  for (let n = 1; n <= RELEASE_COUNT; n += 1) {
    const release = plan.releases?.find((one) => one.number === n) ?? makeRelease(n);
    state.releases.set(release.id, release);
  }
  putEnvironment(state, definition, plan.environment ?? makeEmptyEnvironment(definition.name));
  for (const place of plan.predecessors ?? []) {
    state.environments.set(place.name, place);
    for (const id of state.releases.keys()) state.earlierCompletions.set(`${place.name}/${id}`, TEST_EPOCH_MS);
  }
  for (const { actor, bindings } of [ALICE, BOB, CAROL, OLGA]) {
    if (actor.kind === 'person') state.persons.set(personIdOf(actor.subject), { subject: actor.subject, bindings });
  }
  hire(stage);
}

function hire(stage: StageState): PromotionSnapshot['promotion']['workerId'] {
  stage.workerNumber += 1;
  const id = makeSeededIds(stage.workerNumber).next('wrk');
  putWorker(stage.state, id);
  return id;
}

function create(
  stage: StageState,
  { release = 5, priority = 'normal', requester = ALICE, way }: PromotionPlan,
): PromotionId {
  const { state, definition } = stage;
  const wanted = releaseOf(state, releaseIdOf(release));
  const environment = state.environments.get(definition.name) ?? makeEmptyEnvironment(definition.name);
  const predecessors = readPredecessors(committedView(state, stage.nowMs), definition, {
    release: wanted,
    kind: way?.kind ?? 'promote',
  });
  const base = baseIn(committedView(state, stage.nowMs), environment, wanted);
  const input = { release: wanted, definition, environment, base, predecessors, priority };
  const more = { requestedBy: requester.actor, retryOf: null, settings: state.settings, ...(way ? { way } : {}) };
  const decision = stage.store.insert((context) => planPromotion({ ...input, ...more }, context), stage.nowMs);
  return decision.promotion.id;
}

function workerOf(stage: StageState): NonNullable<PromotionSnapshot['promotion']['workerId']> {
  return makeSeededIds(stage.workerNumber).next('wrk');
}

function look(stage: StageState, id: PromotionId, outcomes: Parameters<MemoryStore['openTick']>[1]): Decision | null {
  const workerId = workerOf(stage);
  for (const claim of stage.store.takeDueWork(workerId, RELEASE_COUNT, stage.nowMs).claimed) {
    stage.claims.set(claim.promotionId, claim);
  }
  const claim = stage.claims.get(id);
  if (!claim) return null;
  const rule = (snapshot: PromotionSnapshot, context: DecideContext, ended: readonly string[]): Decision =>
    decide(snapshot, context, { kind: 'worker', id: workerId }, ended);
  const tick = stage.store.openTick(claim, outcomes, rule, stage.nowMs)?.finish(stage.nowMs);
  if (!tick) {
    stage.claims.delete(id);
    return null;
  }
  if (tick.decision.promotion.workerId === null) stage.claims.delete(id);
  else stage.claims.set(id, { ...claim, isTakeover: false });
  return tick.decision;
}

function answer(
  stage: StageState,
  id: PromotionId,
  { outcome, ...patch }: EffectPatch,
  which: (attempt: Attempt) => boolean,
): Decision {
  if (!stage.claims.has(id)) look(stage, id, []);
  const open = openAttempts(readSnapshot(stage.state, id)).filter(which);
  if (open.length === 0) throw new Error('no such effect is open');
  const outcomes = open.map((one) => {
    const good = goodResult(readSnapshot(stage.state, id), one);
    const word = outcome ?? good.outcome;
    return { operationId: one.operationId, result: { ...good, ...patch, outcome: word } };
  });
  const decision = look(stage, id, outcomes);
  if (!decision) throw new Error('the claim was lost');
  return decision;
}

/** Those that the worker runs: an operation that carries an older fence than the lock is nobody's any more. */
function openAttempts({ attempts, locks }: PromotionSnapshot): Attempt[] {
  const held = locks[0]?.fence;
  return attempts.filter(
    ({ result, fence, acknowledgedAtMs }) =>
      result === null &&
      acknowledgedAtMs === null &&
      (fence === null || (held !== undefined && compareFences(fence, held) >= 0)),
  );
}

function goodResult(
  { release, base, promotion }: PromotionSnapshot,
  attempt: Attempt,
): Omit<AttemptResult, 'endedAtMs'> {
  const target = promotion.definition.targets.find((one) => one.name === attempt.subject);
  const isBack = attempt.purpose === 'rollback' || attempt.purpose === 'rollback_verify';
  const digest = target ? promisedDigestOf(target, isBack ? base : release) : null;
  const outcome = attempt.purpose === 'gate' || attempt.purpose === 'judge' ? 'passed' : 'succeeded';
  const sealed = attempt.purpose === 'seal' ? { operationId: null, outcome: null } : null;
  return { outcome, code: '', message: '', output: '', digest, sealed };
}

function play(stage: StageState, id: PromotionId, until: Step | null): PromotionSnapshot {
  for (let count = 0; count < LOOK_COUNT_MAX; count += 1) {
    const { promotion } = rowOf(stage.state, id);
    if (isTerminal(promotion.status) || promotion.step === until) break;
    const hasOpen = openAttempts(readSnapshot(stage.state, id)).length > 0;
    const decision = hasOpen ? answer(stage, id, {}, () => true) : look(stage, id, []);
    if (!decision || (decision.effects.length === 0 && !isDue(stage, decision))) break;
  }
  return readSnapshot(stage.state, id);
}

function isDue(stage: StageState, { promotion }: Decision): boolean {
  return promotion.nextActionAtMs !== null && promotion.nextActionAtMs <= stage.nowMs;
}

function takeOver(stage: StageState, id: PromotionId): Decision {
  stage.store.buryWorker(workerOf(stage), stage.nowMs);
  hire(stage);
  stage.claims.clear();
  const decision = look(stage, id, []);
  if (!decision) throw new Error('nothing was left to take over');
  return decision;
}
