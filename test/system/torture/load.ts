/**
 * The client: asks for promotions at a steady rate, each with an Idempotency-Key, and remembers what it was told. A call
 * without a clear answer is repeated with the same key until there is one, at whichever replica is up.
 */
import { makeClient } from '@stella/contract/client';
import { isAppError } from '@stella/domain';
import { pause as pauseBy } from '../../../packages/server/src/ports/clock.ts';
import { nodeClock } from '../../../packages/server/src/system/node-clock.ts';
import type { Witness } from './database.ts';
import type { SeededRandom } from './random.ts';
import type { Replica } from './replica.ts';

const CALL_TIMEOUT_MS = 8_000;
const REPEAT_MS = 200;
/** How often it is looked which promotions are over. */
const LOOK_MS = 250;
/** Of one environment at the same time: one in work and one that queues. */
const LIVE_MAX = 2;
const REPEAT_PERCENT = 3;
const CANCEL_PERCENT = 3;
/** Releases are made so many ahead. */
const RELEASES_AHEAD = 5;
export const ARTIFACT_TAGS = ['one', 'two', 'three'] as const;

export interface Operation {
  readonly key: string;
  readonly environment: string;
  readonly release: string;
  /** Answered with this promotion; null while it was not answered, or when it was refused. */
  id: string | null;
  /** Code of the refusal. */
  refusal: string | null;
  /** Tries that had no clear answer. */
  unclearCount: number;
  isCancelled: boolean;
}

export interface Load {
  readonly operations: readonly Operation[];
  /** Repeats of answered calls that were answered with something else (safety S12). */
  readonly contradictions: readonly string[];
  /** Codes of unclear answers, with how often. */
  readonly unclear: ReadonlyMap<string, number>;
  /** Asks for nothing new; resolves when every call has its answer. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly replicas: readonly Replica[];
  readonly token: string;
  readonly environments: readonly string[];
  readonly layouts: string;
  readonly witness: Witness;
  readonly random: SeededRandom;
  readonly perSecond: number;
}

interface State {
  readonly options: LoadOptions;
  readonly operations: Operation[];
  readonly contradictions: string[];
  readonly unclear: Map<string, number>;
  readonly running: Set<Promise<void>>;
  readonly next: Map<string, number>;
  /** Not answered, or of a promotion that lives. */
  open: readonly Operation[];
  releaseCount: number;
  isStopping: boolean;
}

export async function startLoad(options: LoadOptions): Promise<Load> {
  const state: State = {
    options,
    operations: [],
    contradictions: [],
    unclear: new Map(),
    running: new Set(),
    next: new Map(options.environments.map((name) => [name, 1])),
    open: [],
    releaseCount: 0,
    isStopping: false,
  };
  await makeReleases(state, RELEASES_AHEAD);
  const loops = [askSteadily(state), look(state), makeReleasesAhead(state)];
  const { operations, contradictions, unclear } = state;
  return {
    operations,
    contradictions,
    unclear,
    async stop() {
      state.isStopping = true;
      await Promise.all(loops);
      await Promise.all(state.running);
    },
  };
}

async function askSteadily(state: State): Promise<void> {
  const { environments, perSecond } = state.options;
  let turn = 0;
  while (!state.isStopping) {
    await pause(1_000 / perSecond);
    // The next that has room; with none the rate is what the servers can do.
    for (let tried = 0; tried < environments.length; tried += 1) {
      turn = (turn + 1) % environments.length;
      const environment = environments[turn] ?? '';
      const number = state.next.get(environment) ?? 1;
      if (number > state.releaseCount || liveCount(state, environment) >= LIVE_MAX) continue;
      state.next.set(environment, number + 1);
      track(state, promote(state, environment, number));
      break;
    }
  }
}

/** Of those that are not known to be over; the others are never looked at again. */
function liveCount({ open }: State, environment: string): number {
  return open.filter((one) => one.environment === environment).length;
}

async function promote(state: State, environment: string, number: number): Promise<void> {
  const { random } = state.options;
  const release = `r-${number}`;
  const key = `torture-${environment}-${number}`;
  const operation: Operation = {
    key,
    environment,
    release,
    id: null,
    refusal: null,
    unclearCount: 0,
    isCancelled: false,
  };
  const [isRepeated, isCancelled] = [random.chance(REPEAT_PERCENT), random.chance(CANCEL_PERCENT)];
  state.operations.push(operation);
  state.open = [...state.open, operation];
  const ask = (): Promise<{ id: string }> =>
    insist(state, operation, (client) =>
      client.call('createPromotion', { body: { release, environment }, idempotencyKey: key }),
    );
  try {
    const { id } = await ask();
    operation.id = id;
    if (isRepeated && (await ask()).id !== id) state.contradictions.push(`${key}: ${id}, then another`);
    if (isCancelled) await cancel(state, operation, id);
  } catch (error) {
    if (!isAppError(error)) throw error;
    operation.refusal = error.code;
  }
}

async function cancel(state: State, operation: Operation, promotion: string): Promise<void> {
  try {
    await insist(state, operation, (client) =>
      client.call('cancelPromotion', {
        parameters: { promotion },
        body: { reason: 'torture' },
        idempotencyKey: `${operation.key}-cancel`,
      }),
    );
    operation.isCancelled = true;
  } catch (error) {
    // It had ended before: also a clear answer.
    if (!isAppError(error)) throw error;
  }
}

type Client = ReturnType<typeof makeClient>;

/** A refusal by the domain is clear; whatever else went wrong is not. */
const CLEAR = /^(promotion|release|environment|auth|idempotency\.mismatch|input)\b/;

async function insist<T>(
  state: State,
  operation: Pick<Operation, 'unclearCount'> & { unclearCount: number },
  call: (client: Client) => Promise<T>,
): Promise<T> {
  // Until the run is over, which has a deadline.
  for (;;) {
    const up = state.options.replicas.filter((replica) => replica.url() !== '');
    const replica = up.length > 0 ? state.options.random.pick(up) : null;
    try {
      if (replica) {
        return await call(
          makeClient({ server: replica.url(), token: state.options.token, timeoutMs: CALL_TIMEOUT_MS }),
        );
      }
    } catch (error) {
      if (!isAppError(error) || CLEAR.test(error.code)) throw error;
      operation.unclearCount += 1;
      state.unclear.set(error.code, (state.unclear.get(error.code) ?? 0) + 1);
    }
    await pause(REPEAT_MS);
  }
}

async function look(state: State): Promise<void> {
  while (!state.isStopping) {
    // What is answered while it is looked may be missing in the answer.
    const before = state.open.filter((one) => one.id !== null || one.refusal !== null);
    const rows = await state.options.witness.ask<{ id: string }>('select id from promotions where ended_at is null');
    if (rows) {
      const living = new Set(rows.map((row) => row.id));
      const over = new Set(before.filter((one) => one.id === null || !living.has(one.id)));
      state.open = state.open.filter((one) => !over.has(one));
    }
    await pause(LOOK_MS);
  }
}

async function makeReleasesAhead(state: State): Promise<void> {
  while (!state.isStopping) {
    const furthest = Math.max(...state.next.values());
    if (furthest + RELEASES_AHEAD > state.releaseCount) await makeReleases(state, state.releaseCount + 1);
    else await pause(LOOK_MS);
  }
}

async function makeReleases(state: State, upTo: number): Promise<void> {
  while (state.releaseCount < upTo) {
    const number = state.releaseCount + 1;
    const tag = ARTIFACT_TAGS[number % ARTIFACT_TAGS.length];
    const components = [{ name: 'web', artifact: `oci-layout:${state.options.layouts}:${tag}` }];
    const body = { name: `r-${number}`, components };
    await insist(state, { unclearCount: 0 }, (client) =>
      client.call('createRelease', { body, idempotencyKey: `torture-release-${number}` }),
    );
    state.releaseCount = number;
  }
}

function track(state: State, work: Promise<void>): void {
  state.running.add(work);
  void work.finally(() => state.running.delete(work));
}

/** Real time: this is what happens outside of the product. */
export function pause(ms: number): Promise<void> {
  return pauseBy(nodeClock, ms);
}
