/**
 * The people of a simulation: they approve what waits for them (those who may and those who may not), and carry out the
 * scenario's commands. Each refusal is compared with what the design says must be refused.
 */
import {
  type Actor,
  type AppError,
  cancelPromotion,
  type DecideContext,
  decideApproval,
  type Decision,
  type ErrorCode,
  type Fence,
  isAppError,
  isTerminal,
  type LockId,
  parseSetting,
  personOf,
  type Principal,
  type PromotionId,
  type PromotionSnapshot,
  releaseLock,
  retryPromotion,
  type RoleBinding,
  wordSetting,
} from '@stella/domain';
import { makeAutomation, makePerson, personIdOf, toBindings } from '../fixtures.ts';
import type { Agenda } from './agenda.ts';
import type { MemoryStore } from './memory-store.ts';
import type { WriteRecord } from '../memory/memory-session.ts';
import { settingsIn } from '../memory/memory-reads.ts';
import { putSetting } from '../memory/memory-settings.ts';
import { committedView } from '../memory/memory-transaction.ts';
import { isRowLocked, type MemoryState, rowOf } from '../memory/memory-state.ts';
import { insist } from './safety-violation.ts';
import type { CommandPlan } from './scenario.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface PeopleWorld {
  readonly agenda: Agenda;
  readonly random: SeededRandom;
  readonly store: MemoryStore;
  readonly onChange: () => void;
  readonly count: (what: string) => void;
  /** Seals the environment's targets after a lock was taken away. */
  readonly sealTargets: (environment: string, fence: Fence) => void;
}

export const PEOPLE: Readonly<Record<string, readonly RoleBinding[]>> = {
  alice: toBindings(['releaser@*', 'approver@*']),
  bob: toBindings(['releaser@*', 'approver@*']),
  carol: toBindings(['approver@*']),
  dave: toBindings(['viewer@*']),
  olga: toBindings(['operator@*']),
  // May ask for a skip, and approve one, but never both.
  peter: toBindings(['operator@*', 'approver@*']),
};

/** Decides while its row is held by a transaction: tried again so long after. */
const ROW_RETRY_MS = 3;

export function enrolPeople(state: MemoryState): void {
  for (const [subject, bindings] of Object.entries(PEOPLE)) {
    state.persons.set(personIdOf(subject), { subject, bindings });
  }
}

/** `ci` is an automation whose token alice has minted. */
export function actorOf(name: string): Actor {
  return name === 'ci' ? makeAutomation('ci', 'alice') : makePerson(name);
}

export function principalOf(state: MemoryState, name: string): Principal {
  const bindings = state.persons.get(personIdOf(name === 'ci' ? 'alice' : name))?.bindings ?? [];
  return { actor: actorOf(name), bindings };
}

/** Somebody decides, sooner or later or never, at each approval gate that has just opened. */
export function answerApprovals(world: PeopleWorld, { before, decision }: WriteRecord): void {
  const { agenda, random } = world;
  const { promotion, gateRuns } = decision;
  for (const run of gateRuns) {
    const isNew = before?.gateRuns.every((one) => one.id !== run.id) ?? true;
    if (run.kind !== 'approval' || run.verdict !== null || !isNew) continue;
    const voters = ['alice', 'bob', 'carol', 'dave', 'ci'].filter(() => random.chance(75));
    for (const name of voters) {
      const delayMs = random.chance(80) ? random.between(50, 20_000) : random.between(20_000, 120_000);
      agenda.after(delayMs, () => approve(world, promotion.id, name, run.gate));
    }
  }
}

function approve(world: PeopleWorld, id: PromotionId, name: string, gate: string): void {
  const principal = principalOf(world.store.state, name);
  const input = { decision: 'approved' as const, gate, reason: '' };
  const snapshot = rowOf(world.store.state, id).promotion;
  const isOwn = personOf(snapshot.requestedBy) === personOf(principal.actor);
  attempt(world, id, {
    word: `approve.${name}`,
    rule: (before, context) => decideApproval(before, context, principal, input),
    expect: (code) => {
      if (name === 'dave') return code === 'auth.forbidden';
      if (name === 'ci') return code === 'auth.person_needed' || code === 'auth.forbidden';
      if (isOwn) return code === 'auth.own_request' || code === 'auth.forbidden';
      return code === null || WHEN_CLOSED.has(code);
    },
    andThen: () => {
      // Now and then somebody loses the right just after using it, and gets it back later.
      if (!world.random.chance(8)) return;
      world.agenda.after(world.random.between(1, 1_500), () => changeRights(world, name));
      world.agenda.after(world.random.between(10_000, 40_000), () => changeRights(world, name));
    },
  });
}

/** The gate has been settled meanwhile, or the person has lost the right. */
const WHEN_CLOSED: ReadonlySet<ErrorCode> = new Set([
  'approval.repeated',
  'approval.base_changed',
  'promotion.illegal_transition',
  'auth.forbidden',
]);

export interface CommandAttempt {
  readonly word: string;
  readonly rule: (snapshot: PromotionSnapshot, context: DecideContext) => Decision;
  /** Whether that end is right; null stands for success. */
  readonly expect: (code: ErrorCode | null, before: PromotionSnapshot['promotion']) => boolean;
  readonly isGuarded?: boolean;
  readonly andThen?: (decision: Decision) => void;
}

/** Runs one command; when the row is held, a little later. */
export function attempt(world: PeopleWorld, id: PromotionId, command: CommandAttempt): void {
  const { agenda, store, count, onChange } = world;
  const { promotion } = rowOf(store.state, id);
  if (isRowLocked(store.state, id)) {
    agenda.after(ROW_RETRY_MS, () => attempt(world, id, command));
    return;
  }
  const nowMs = agenda.nowMs();
  const error = tryRule(() => {
    const decision = store.command(id, command.isGuarded ?? false, command.rule, nowMs);
    command.andThen?.(decision);
  });
  const code = error?.code ?? null;
  count(`command.${command.word}.${code ?? 'done'}`);
  const isExpected = command.expect(code, promotion);
  insist(
    'command',
    isExpected,
    () => `${command.word} of ${id} in ${promotion.status} ended with ${code ?? 'success'}`,
  );
  if (code === null) onChange();
  else insist('command', rowOf(store.state, id).promotion === promotion, () => `a refused ${command.word} wrote`);
}

function tryRule(run: () => void): AppError | null {
  try {
    run();
    return null;
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
}

export function carryOut(world: PeopleWorld, plan: CommandPlan): void {
  const { state } = world.store;
  if (plan.word === 'change_rights') {
    changeRights(world, ['alice', 'bob', 'carol'][plan.pick % 3] ?? 'carol');
    return;
  }
  if (plan.word === 'apply' || plan.word === 'switch_locks_mode') {
    changePlaces(world, plan);
    return;
  }
  if (plan.word === 'release_lock' || plan.word === 'force_release') {
    releaseSomeLock(world, plan);
    return;
  }
  const ids = [...state.promotions.keys()];
  const id = ids[plan.pick % Math.max(1, ids.length)];
  if (!id) return;
  if (plan.word === 'cancel') cancel(world, id, plan.pick);
  else if (plan.word === 'retry') retry(world, id);
  else reject(world, id);
}

/** L7: accepted in every live status, by a releaser and by an operator. */
function cancel(world: PeopleWorld, id: PromotionId, pick: number): void {
  const principal = principalOf(world.store.state, pick % 2 === 0 ? 'olga' : 'bob');
  attempt(world, id, {
    word: 'cancel',
    rule: (before, context) => cancelPromotion(before, context, principal, 'not now'),
    expect: (code, { status }) => code === (isTerminal(status) ? 'promotion.illegal_transition' : null),
  });
}

function retry(world: PeopleWorld, id: PromotionId): void {
  const principal = principalOf(world.store.state, 'olga');
  attempt(world, id, {
    word: 'retry',
    rule: (before, context) => retryPromotion(before, context, principal, 'mended'),
    expect: (code, { step, status }) => {
      if (code !== null) return code === 'promotion.illegal_transition';
      return !isTerminal(status) && (step === 'precheck' || step === 'evaluate_gates');
    },
  });
}

function reject(world: PeopleWorld, id: PromotionId): void {
  const principal = principalOf(world.store.state, 'carol');
  const input = { decision: 'rejected' as const, gate: null, reason: 'no' };
  attempt(world, id, {
    word: 'reject',
    rule: (before, context) => decideApproval(before, context, principal, input),
    expect: (code) => code === null || WHEN_CLOSED.has(code),
  });
}

/** An approver loses the right, or gets it back: approvals count by the rights held when the intent is written. */
function changeRights(world: PeopleWorld, subject: string): void {
  const { state } = world.store;
  const id = personIdOf(subject);
  const full = PEOPLE[subject] ?? [];
  const hasAll = state.persons.get(id)?.bindings.length === full.length;
  const bindings = hasAll ? full.filter((binding) => binding.role !== 'approver') : full;
  state.persons.set(id, { subject, bindings });
  world.count('rights.changed');
}

/** A pipeline that applies a definition again and again raises its revision so many times, so soon. */
const APPLY_COUNT = 200;
const APPLY_WITHIN_MS = 60_000;

function changePlaces(world: PeopleWorld, { word, pick }: CommandPlan): void {
  const { agenda, random, store, count } = world;
  const { state } = store;
  count(`command.${word}`);
  if (word === 'switch_locks_mode') {
    const settings = settingsIn(committedView(state, agenda.nowMs()), state.settings);
    const mode = wordSetting(settings, 'locks.mode') === 'optimistic' ? 'pessimistic' : 'optimistic';
    putSetting(state, 'locks.mode', parseSetting('locks.mode', mode));
    return;
  }
  const names = [...state.environments.keys()];
  const name = names[pick % Math.max(1, names.length)];
  for (let n = 0; n < APPLY_COUNT; n += 1) {
    agenda.after(random.between(0, APPLY_WITHIN_MS), () => raiseRevision(state, name));
  }
}

function raiseRevision({ environments }: MemoryState, name: string | undefined): void {
  const place = name === undefined ? undefined : environments.get(name);
  if (place) environments.set(place.name, { ...place, policyRevision: place.policyRevision + 1 });
}

function releaseSomeLock(world: PeopleWorld, plan: CommandPlan): void {
  const { state } = world.store;
  const locks = [...state.locks.values()].filter((lock) => lock.releasedAtMs === null && lock.mode === 'exclusive');
  const lock = locks[plan.pick % Math.max(1, locks.length)];
  if (!lock) return;
  const principal = principalOf(state, 'olga');
  const isForced = plan.word === 'force_release';
  let fence: Fence | null = null;
  attempt(world, lock.promotionId, {
    word: plan.word,
    isGuarded: true,
    rule: (before, context) => {
      fence = context.guard?.fence ?? null;
      const isStale = world.store.isStale(lock.promotionId, context.nowMs);
      return releaseLock(before, context, principal, { lockId: lock.id, isForced, isStale, reason: 'stuck' });
    },
    expect: (code) => isRightEnd(state, lock.id, isForced, code),
    andThen: ({ promotion }) => {
      if (fence) world.sealTargets(promotion.environment, fence);
    },
  });
}

function isRightEnd(state: MemoryState, id: LockId, isForced: boolean, code: ErrorCode | null): boolean {
  if (code === null) return state.locks.get(id)?.releasedAtMs !== null;
  return code === 'lock.not_found' || (code === 'lock.live_holder' && !isForced);
}
