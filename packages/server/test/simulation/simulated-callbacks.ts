/**
 * Services that only take a question and call back with their signed verdict: once, twice with one id or with two that
 * contradict each other, just before the deadline or after it, never; and others that forge what they were not asked. What
 * a server does with it is the product's own, from the signature on.
 */
import { type ErrorCode, isAppError } from '@stella/domain';
import { insist } from '@stella/testkit';
import type { HttpRequest } from '../../src/ports/http-client.ts';
import { signatureHeaders } from '../../src/webhooks/webhook-signature.ts';
import type { Journal } from './journal.ts';
import { isTransient, rest } from './people.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedServer } from './simulated-server.ts';

/** Tells the simulated service that it calls back. */
export const CALLS_BACK = { 'x-calls-back': 'yes' } as const;
export const CALLBACK_SECRET = 'env:STELLA_SECRET_SIMULATED';
export const CALLBACK_KEY = new TextEncoder().encode('a key that both sides know, as long as it must be');
const OTHER_KEY = new TextEncoder().encode('a key of somebody else, who would like to be asked');

const MANNERS = ['once', 'once', 'once', 'same_id_twice', 'two_ids', 'at_deadline', 'never'] as const;
const FORGERIES = ['other_key', 'unsigned', 'other_body', 'other_run'] as const;
/** Of a hundred questions so many are also answered by somebody who was not asked. */
const FORGED_PERCENT = 25;
/** Of a hundred verdicts so many are a no. */
const NO_PERCENT = 15;
/** Deliveries of one message that nobody has answered. */
const SENDINGS_MAX = 6;
const SEND_AGAIN_MS = 1_000;
const PATIENCE_MS = 10_000;

/** Explained by a race, a late message, a copy, or a server whose clock is wrong; of a forged one any refusal is. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set(['callback.void', 'callback.replayed', 'callback.clock']);

export interface CallbackWorld {
  readonly scheduler: Scheduler;
  readonly journal: Journal;
  readonly servers: () => readonly SimulatedServer[];
  /** Ends the seed. */
  readonly guarded: (check: () => void) => void;
}

interface Message {
  readonly operation: string;
  readonly id: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isForged: boolean;
}

export interface CallingServices {
  /** The service has got this question, whatever its caller has heard. */
  take(request: HttpRequest): void;
}

export function makeCallingServices(world: CallbackWorld): CallingServices {
  /** Operations whose verdict was taken, as its sender was told. */
  const taken = new Set<string>();
  return {
    take(request) {
      const question = questionOf(request);
      const { random } = world.scheduler;
      const manner = random.pick(MANNERS);
      world.journal.reach(`callback.manner.${manner}`);
      if (random.chance(FORGED_PERCENT)) later(world, taken, random.between(10, 5_000), forge(world, question));
      if (manner === 'never') return;
      const verdict = random.chance(NO_PERCENT) ? 'failed' : 'passed';
      const { timeoutMs } = request;
      const delayMs =
        manner === 'at_deadline'
          ? timeoutMs + random.between(-500, 1_500)
          : random.between(10, Math.min(timeoutMs, 30_000));
      const first = messageOf(world, question, { verdict, delayMs });
      later(world, taken, delayMs, first);
      const againMs = delayMs + random.between(0, 3_000);
      if (manner === 'same_id_twice') later(world, taken, againMs, first);
      if (manner !== 'two_ids') return;
      const other = verdict === 'passed' ? 'failed' : 'passed';
      later(world, taken, againMs, messageOf(world, question, { verdict: other, delayMs: againMs }));
    },
  };
}

interface Question {
  readonly operationId: string;
  readonly gateRunId: string;
  readonly release: { readonly name: string; readonly components: readonly unknown[] };
}

function questionOf({ body }: HttpRequest): Question {
  // The product's own question.
  return JSON.parse(String(body)) as Question;
}

interface Saying {
  readonly verdict: 'passed' | 'failed';
  /** From now until it is signed and sent. */
  readonly delayMs: number;
}

function messageOf({ scheduler, journal }: CallbackWorld, question: Question, { verdict, delayMs }: Saying): Message {
  const { operationId } = question;
  const given = journal.verdicts.get(operationId) ?? new Set();
  journal.verdicts.set(operationId, given.add(verdict));
  return signed(question, verdict, {
    id: `msg_${scheduler.random.between(1, 1e9)}`,
    atMs: scheduler.nowMs() + delayMs,
    isForged: false,
  });
}

/** Somebody who was not asked, or not this, says what would suit him. */
function forge({ scheduler, journal }: CallbackWorld, question: Question): Message {
  const { random } = scheduler;
  const how = random.pick(FORGERIES);
  journal.reach(`callback.forged.${how}`);
  const about = { id: `msg_${random.between(1, 1e9)}`, atMs: scheduler.nowMs(), isForged: true };
  const asked = how === 'other_run' ? { ...question, gateRunId: `${question.gateRunId}0` } : question;
  const key = how === 'other_key' ? OTHER_KEY : CALLBACK_KEY;
  const message = signed(asked, how === 'other_body' ? 'failed' : 'passed', about, key);
  if (how === 'unsigned') return { ...message, headers: {} };
  return how === 'other_body' ? { ...message, body: message.body.replace('"failed"', '"passed"') } : message;
}

function signed(
  { operationId, gateRunId, release }: Question,
  verdict: 'passed' | 'failed',
  { id, atMs, isForged }: { readonly id: string; readonly atMs: number; readonly isForged: boolean },
  key: Uint8Array = CALLBACK_KEY,
): Message {
  const body = JSON.stringify({ operationId, gateRunId, release, verdict });
  return { operation: operationId, id, body, isForged, headers: signatureHeaders(key, { id, atMs, body }) };
}

function later(world: CallbackWorld, taken: Set<string>, delayMs: number, message: Message): void {
  world.scheduler.after(Math.max(1, delayMs), () => void deliver(world, taken, message));
}

/** To any server that lives, again and again until one answers. */
async function deliver(world: CallbackWorld, taken: Set<string>, message: Message): Promise<void> {
  const { scheduler, servers } = world;
  for (let count = 0; count < SENDINGS_MAX; count += 1) {
    const alive = servers().filter(({ process }) => process.isAlive());
    const answer = alive.length > 0 ? await send(world, scheduler.random.pick(alive), message) : null;
    if (answer !== null) {
      judge(world, taken, message, answer);
      return;
    }
    await rest(scheduler, SEND_AGAIN_MS);
  }
}

/** Null: nobody answered. */
async function send(
  { scheduler, guarded }: CallbackWorld,
  server: SimulatedServer,
  { operation, headers, body }: Message,
): Promise<ErrorCode | 'taken' | null> {
  const bytes = new TextEncoder().encode(body);
  const call = server.callBack({ operation, headers, bytes }).then(() => 'taken' as const);
  try {
    return (await Promise.race([call, rest(scheduler, PATIENCE_MS)])) ?? null;
  } catch (error) {
    if (isAppError(error)) return error.code === 'database.unavailable' ? null : error.code;
    if (isTransient(error)) return null;
    guarded(() => {
      throw error;
    });
    return null;
  }
}

function judge(
  { journal, guarded }: CallbackWorld,
  taken: Set<string>,
  { operation, isForged }: Message,
  answer: ErrorCode | 'taken',
): void {
  journal.reach(`callback.${isForged ? 'forged' : 'true'}.${answer}`);
  if (answer === 'taken') {
    guarded(() => insist('S7', !isForged, () => `a forged verdict on ${operation} was taken`));
    guarded(() => insist('S7', !taken.has(operation), () => `two verdicts on ${operation} were taken`));
    taken.add(operation);
  } else if (!isForged) {
    guarded(() => insist('command', EXPECTED.has(answer), () => `the callback of ${operation} ended with ${answer}`));
  }
}
