/**
 * Gate services behind the port for outgoing HTTP, so that the real evaluator of http gates runs on them: they say yes or
 * no, or they refuse, hang at any place, answer late, break off, answer nonsense, redirect, or change their mind.
 */
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse } from '../../src/ports/http-client.ts';
import type { FaultMix } from './fault-mix.ts';
import type { Journal } from './journal.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedProcess } from './simulated-process.ts';

const FAULTS = [
  'refuse',
  'hang',
  'hang_in_body',
  'late',
  'break_off',
  'bad_json',
  'wrong_shape',
  'wrong_operation',
  'status_500',
  'redirect',
  'flip',
] as const;
type GateFault = (typeof FAULTS)[number];

/** Of a hundred good answers so many are a no. */
const NO_PERCENT = 6;

export interface GateWorld {
  readonly scheduler: Scheduler;
  readonly mix: FaultMix;
  readonly journal: Journal;
  /** Mean time of an answer. */
  readonly answerMs: number;
  isFaulty: () => boolean;
  /** The service that calls back has got this question. */
  readonly take: (request: HttpRequest) => void;
}

/** The client of one process: what is under way there ends with it. */
export function makeGateClient(world: GateWorld, process: SimulatedProcess): HttpClient {
  return {
    request: (request) =>
      new Promise((resolve, reject) => {
        ask(world, process, { request, resolve, reject });
      }),
  };
}

interface Call {
  readonly request: HttpRequest;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: Error) => void;
}

function ask(world: GateWorld, process: SimulatedProcess, { request, resolve, reject }: Call): void {
  const { random } = world.scheduler;
  const fault: GateFault | null = world.isFaulty() && random.chance(world.mix.gate) ? random.pick(FAULTS) : null;
  if (fault) world.journal.fault(`gate.${fault}`);
  const callsBack = request.headers?.['x-calls-back'] === 'yes';
  // It has the question, whatever becomes of its word that it has.
  if (callsBack && (fault === null || (GETS_IT.has(fault) && random.chance(50)))) world.take(request);
  const isSlow = fault === 'late' || random.chance(5);
  const answerMs = isSlow ? random.between(1_000, 30_000) : random.between(1, 2 * world.answerMs);
  let isOver = false;
  const end = (run: () => void): void => {
    if (isOver) return;
    isOver = true;
    run();
  };
  // The client of the port keeps its own deadline, and its caller's signal.
  const fail = (kind: 'timeout' | 'aborted' | 'refused' | 'reset'): void =>
    end(() => reject(new HttpFailure(kind, `simulated ${kind}`)));
  process.enterAfter(request.timeoutMs, () => fail('timeout'));
  request.signal?.addEventListener('abort', () => fail('aborted'), { once: true });
  if (fault === 'refuse') process.enterAfter(random.between(1, 50), () => fail('refused'));
  else if (fault === 'break_off') process.enterAfter(answerMs, () => fail('reset'));
  else if (fault !== 'hang') {
    const leftMs = request.timeoutMs - answerMs;
    process.enterAfter(answerMs, () => end(() => resolve(answer(world, process, { request, fault, leftMs }))));
  }
}

/** Faults of the way back: the question has arrived. */
const GETS_IT: ReadonlySet<GateFault> = new Set(['hang', 'hang_in_body', 'late', 'break_off', 'status_500']);

interface Answer {
  readonly request: HttpRequest;
  readonly fault: GateFault | null;
  /** Until the deadline of the whole request. */
  readonly leftMs: number;
}

function answer(world: GateWorld, process: SimulatedProcess, { request, fault, leftMs }: Answer): HttpResponse {
  const needsTime = fault === null && request.headers?.['x-polls'] === 'yes' && world.scheduler.random.chance(40);
  if (needsTime) world.journal.reach('gate.needs_time');
  const isTaken = request.headers?.['x-calls-back'] === 'yes' && (fault === null || GETS_IT.has(fault));
  const status = fault === 'status_500' ? 500 : fault === 'redirect' ? 302 : needsTime || isTaken ? 202 : 200;
  // A service that needs time has decided nothing yet.
  const text = needsTime || isTaken ? '' : bodyOf(world, request, fault);
  const hangs = fault === 'hang_in_body';
  return {
    status,
    headers: {},
    body: {
      async *[Symbol.asyncIterator]() {
        if (hangs) await breakOff(process, request, leftMs);
        yield new TextEncoder().encode(text);
      },
    },
  };
}

/** A body that never comes ends by the client's deadline, or by its caller's signal. */
function breakOff(process: SimulatedProcess, request: HttpRequest, leftMs: number): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (kind: 'timeout' | 'aborted'): void => reject(new HttpFailure(kind, `simulated ${kind} in the body`));
    process.enterAfter(Math.max(0, leftMs), () => fail('timeout'));
    request.signal?.addEventListener('abort', () => fail('aborted'), { once: true });
  });
}

function bodyOf({ scheduler: { random }, journal }: GateWorld, request: HttpRequest, fault: GateFault | null): string {
  if (fault === 'bad_json') return '{"verdict": "passed"';
  if (fault === 'wrong_shape') return random.pick(['[]', '{"verdict":"maybe"}', 'null', '"passed"']);
  const operationId = request.headers?.['idempotency-key'] ?? '';
  const given = journal.verdicts.get(operationId) ?? new Set();
  const usual = random.chance(NO_PERCENT) ? 'failed' : 'passed';
  const [first = usual] = given;
  // Asked again it gives the same answer, unless it is one that flips.
  const verdict = fault === 'flip' ? (first === 'passed' ? 'failed' : 'passed') : first;
  // What it says of another operation is no verdict on this one.
  if (fault === null || fault === 'flip' || fault === 'late') {
    given.add(verdict);
    journal.verdicts.set(operationId, given);
  }
  const about = fault === 'wrong_operation' ? 'another operation' : operationId;
  return JSON.stringify({ verdict, operationId: about, message: `the service says ${verdict}` });
}
