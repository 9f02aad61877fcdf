/**
 * The people of a seed. They use the real commands through some server that answers, repeat with the same Idempotency-Key
 * what was not answered, click twice, race each other, lose rights in between, and change their minds. What was answered
 * to them is kept: it must be there at the end (safety S12, S17).
 */
import {
  AppError,
  digestOf,
  type ErrorCode,
  isAppError,
  isTerminal,
  type Principal,
  type PromotionId,
  type Release,
} from '@stella/domain';
import {
  insist,
  insistSame,
  makeAutomation,
  makePerson,
  type MemoryState,
  personIdOf,
  type SeededRandom,
} from '@stella/testkit';
import type { CommandTransaction } from '../../src/ports/command-store.ts';
import type { Journal } from './journal.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedServer } from './simulated-server.ts';

/** A server that does not answer by then is asked no more. */
const PATIENCE_MS = 15_000;
/** Repeats of one request, each at a server that lives. */
const REPEATS_MAX = 6;
const REPEAT_AFTER_MS = 1_000;
/** Of a hundred acts so many are clicked twice, at once; and so many are sent again after their answer. */
const DOUBLE_CLICK_PERCENT = 10;

export interface PeopleWorld {
  readonly scheduler: Scheduler;
  readonly state: MemoryState;
  readonly journal: Journal;
  readonly servers: () => readonly SimulatedServer[];
  /** Ends the seed. */
  readonly guarded: (check: () => void) => void;
}

export type Answer<T> =
  | { readonly kind: 'done'; readonly body: T }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  /** Nobody answered: it may have happened or not. */
  | { readonly kind: 'unknown' };

export interface Act<T> {
  readonly word: string;
  readonly by: string;
  /** Refusals that this act may end with besides. */
  readonly mayEnd?: readonly ErrorCode[];
  /** What the server does; its answer must be plain data. */
  readonly work: (tx: CommandTransaction, principal: Principal, server: SimulatedServer) => Promise<T>;
}

export interface People {
  act<T>(act: Act<T>): Promise<Answer<T>>;
  /** Acts whose answer somebody got. */
  readonly acknowledged: Map<string, number>;
}

/** Refusals that a race, a lost right or a late click explains; any other is a finding. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set([
  'approval.repeated',
  'approval.base_changed',
  'auth.forbidden',
  'auth.own_request',
  'auth.own_skip',
  'auth.person_needed',
  'environment.not_found',
  'etag.mismatch',
  'fence.busy',
  'fence.unreadable',
  'freeze.none',
  'gate.not_found',
  'idempotency.in_flight',
  'input.invalid',
  'lock.live_holder',
  'lock.not_found',
  'promotion.illegal_transition',
  'promotion.live_exists',
  'promotion.not_in_predecessor',
  'promotion.older_than_base',
  'promotion.same_as_base',
  'promotion.version',
  'registry.artifact_missing',
  'registry.digest_mismatch',
  'registry.tag_not_found',
  'registry.unreachable',
  'release.name_taken',
  'skip.exists',
  'skip.forbidden',
  'skip.not_found',
  'apply.in_use',
  'apply.locks_live',
]);

export function principalOf(state: MemoryState, name: string): Principal {
  const actor = name === 'ci' ? makeAutomation('ci', 'alice') : makePerson(name);
  return { actor, bindings: state.persons.get(personIdOf(name === 'ci' ? 'alice' : name))?.bindings ?? [] };
}

export function makePeople(world: PeopleWorld): People {
  const acknowledged = new Map<string, number>();
  let keyCount = 0;
  return {
    acknowledged,
    async act<T>(act: Act<T>): Promise<Answer<T>> {
      keyCount += 1;
      const key = `key-${keyCount}`;
      const { random } = world.scheduler;
      const sending = [send(world, act, key)];
      if (random.chance(DOUBLE_CLICK_PERCENT)) sending.push(send(world, act, key));
      const answers = await Promise.all(sending);
      const [first] = answers;
      if (!first) return { kind: 'unknown' };
      for (const answer of answers) countAnswer(world, act, answer);
      const done = answers.find((answer) => answer.kind === 'done');
      if (!done) return first;
      // A click that was refused before the other one was taken has left nothing behind.
      const later: Answer<T>[] = answers.filter((answer) => answer.kind === 'done');
      if (random.chance(DOUBLE_CLICK_PERCENT)) later.push(await send(world, act, key));
      for (const other of later) checkRepeat(world, act.word, { done, other });
      acknowledged.set(act.word, (acknowledged.get(act.word) ?? 0) + 1);
      return done;
    },
  };
}

/** S12: one key, one answer; or none yet. */
function checkRepeat<T>(
  { guarded }: PeopleWorld,
  word: string,
  { done, other }: { readonly done: Answer<T>; readonly other: Answer<T> },
): void {
  const isNoAnswer = other.kind === 'unknown' || (other.kind === 'refused' && other.code === 'idempotency.in_flight');
  if (!isNoAnswer) guarded(() => insistSame('S12', other, done, () => `${word} was answered otherwise`));
}

function countAnswer<T>({ journal, guarded }: PeopleWorld, { word, by, mayEnd = [] }: Act<T>, answer: Answer<T>): void {
  journal.reach(`command.${word}.${answer.kind === 'refused' ? answer.code : answer.kind}`);
  if (answer.kind !== 'refused') return;
  const isExpected = EXPECTED.has(answer.code) || mayEnd.includes(answer.code);
  guarded(() => insist('command', isExpected, () => `${word} of ${by} ended with ${answer.code}`));
}

async function send<T>(world: PeopleWorld, act: Act<T>, key: string): Promise<Answer<T>> {
  for (let count = 0; count < REPEATS_MAX; count += 1) {
    const alive = world.servers().filter((server) => server.process.isAlive());
    const server = alive.length > 0 ? world.scheduler.random.pick(alive) : null;
    const answer = server ? await askOne(world, act, { server, key }) : null;
    if (answer) return answer;
    await rest(world.scheduler, REPEAT_AFTER_MS);
  }
  return { kind: 'unknown' };
}

/** Null: no answer, or the database was away. */
async function askOne<T>(
  world: PeopleWorld,
  act: Act<T>,
  { server, key }: { server: SimulatedServer; key: string },
): Promise<Answer<T> | null> {
  const principal = principalOf(world.state, act.by);
  const actorId = principal.actor.kind === 'person' || principal.actor.kind === 'automation' ? principal.actor.id : '';
  const request = { actorId, route: act.word, key, bodyHash: digestOf(key) };
  const call = server.command(request, (tx) => act.work(tx, principal, server));
  try {
    const body = await Promise.race([call, rest(world.scheduler, PATIENCE_MS)]);
    // The store keeps an answer as JSON and hands it out as it was.
    return body === undefined ? null : { kind: 'done', body: body as T };
  } catch (error) {
    if (isAppError(error)) return error.code === 'database.unavailable' ? null : { kind: 'refused', code: error.code };
    if (isTransient(error)) return null;
    world.guarded(() => {
      throw error;
    });
    return null;
  }
}

/** Read-only, serialization, deadlock, lock time-out: the server answers 503 and the person tries again. */
export function isTransient(error: unknown): boolean {
  const { code } = error instanceof Error ? (error as { code?: unknown }) : { code: null };
  return typeof code === 'string' && ['25006', '25P02', '40001', '40P01', '55P03'].includes(code);
}

export function rest(scheduler: Scheduler, delayMs: number): Promise<undefined> {
  return new Promise((resolve) => {
    scheduler.after(delayMs, () => resolve(undefined));
  });
}

/** One of the promotions; a live one when there is any and luck wants it. */
export function pickPromotion(state: MemoryState, random: SeededRandom): PromotionId | null {
  const rows = [...state.promotions.values()];
  const live = rows.filter(({ promotion }) => !isTerminal(promotion.status));
  const from = live.length > 0 && random.chance(90) ? live : rows;
  return from.length > 0 ? random.pick(from).promotion.id : null;
}

export function releaseByNumber(state: MemoryState, number: number): Release | null {
  for (const release of state.releases.values()) if (release.number === number) return release;
  return null;
}

/** An act that throws what a route would: for what is refused before the transaction. */
export function refusal(code: ErrorCode): AppError {
  return new AppError(code);
}
