/** The collector of debts on a store that the test fills, and a clock that the test moves. */
import { STANDARD_SETTINGS } from '@stella/domain';
import { makeDefinition, makeHttpGate, waitFor } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../ports/clock.ts';
import type { DebtStore, DueDebt, TakenDebts } from '../ports/debt-store.ts';
import type { AskGate, GateCall } from '../ports/gate.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import { startDebtCollector } from './debt-collector.ts';

const GATE_TIMEOUT_MS = 60_000;
const POLL_MS = 2_000;

interface ManualClock extends Clock {
  /** Runs what is due by then, in its order, and lets what it started go on. */
  pass(ms: number): Promise<void>;
}

function makeManualClock(): ManualClock {
  let nowMs = 0;
  let orders: { readonly atMs: number; readonly run: () => void }[] = [];
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    timeoutSignal: () => new AbortController().signal,
    schedule(delayMs, run) {
      const order = { atMs: nowMs + delayMs, run };
      orders.push(order);
      return () => {
        orders = orders.filter((one) => one !== order);
      };
    },
    async pass(ms) {
      const untilMs = nowMs + ms;
      await settle();
      const nextDue = () => [...orders].sort((a, b) => a.atMs - b.atMs).find(({ atMs }) => atMs <= untilMs);
      for (let next = nextDue(); next !== undefined; next = nextDue()) {
        const { atMs, run } = next;
        orders = orders.filter((one) => one.run !== run);
        nowMs = atMs;
        run();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}

/** Of the whole rows, what the collector reads. */
function makeDue(name: string, gate = 'tests'): DueDebt {
  const definition = makeDefinition({ name: 'prod', gates: [makeHttpGate({ timeoutMs: GATE_TIMEOUT_MS })] });
  const promotion = { environment: 'prod', definition };
  const release = { name: 'shop-1', components: [] };
  const debt = { id: `dbt_${name}`, gate, environment: 'prod', promotionId: 'prm_1', gateRunId: 'gtr_1', askCount: 3 };
  return { debt, snapshot: { promotion, release, settings: STANDARD_SETTINGS }, nowMs: 0 } as unknown as DueDebt;
}

interface Recorded {
  readonly debtId: string;
  readonly outcome: string;
  readonly message: string;
}

interface Stage {
  readonly clock: ManualClock;
  readonly recorded: Recorded[];
  readonly logged: string[];
  readonly limits: number[];
  stop(): Promise<void>;
}

/** Each look at the store gets the next of `answers`; afterwards nothing is due. */
function start(askGate: AskGate, answers: readonly (() => TakenDebts)[]): Stage {
  const clock = makeManualClock();
  const recorded: Recorded[] = [];
  const logged: string[] = [];
  const limits: number[] = [];
  let looks = 0;
  const store: DebtStore = {
    takeDueDebts(limit) {
      limits.push(limit);
      const answer = answers[looks];
      looks += 1;
      return Promise.resolve().then(() => answer?.() ?? { due: [], unreadable: [] });
    },
    recordAnswer(debt, { outcome, message }) {
      recorded.push({ debtId: debt.id, outcome, message });
      return Promise.resolve({ ...debt, state: outcome === 'passed' ? 'paid' : 'open' });
    },
    findCallback: () => Promise.resolve(null),
  };
  const log = (_: unknown, message: string): void => {
    logged.push(message);
  };
  const logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  const collector = startDebtCollector({ store, askGate, clock, logger, metrics: NO_METRICS });
  return { clock, recorded, logged, limits, stop: () => collector.stop() };
}

const due = (...debts: readonly DueDebt[]): TakenDebts => ({ due: debts, unreadable: [] });
const passed: AskGate = () => Promise.resolve({ outcome: 'passed', message: 'fine', output: '' });

/** Answers only when it is aborted, and says how often. */
function makeHangingGate(): { readonly ask: AskGate; readonly signals: AbortSignal[] } {
  const signals: AbortSignal[] = [];
  const ask = (_gate: unknown, _question: unknown, { signal }: GateCall) => {
    signals.push(signal);
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    });
  };
  return { ask, signals };
}

describe('the collector of debts', () => {
  it('asks with an operation of its own for each time, and records the answer', async () => {
    const questions: unknown[] = [];
    const ask: AskGate = (_gate, question) => {
      questions.push(question);
      return Promise.resolve({ outcome: 'failed', message: 'x'.repeat(5_000), output: '' });
    };
    const stage = start(ask, [() => due(makeDue('a'))]);
    await stage.clock.pass(0);
    await stage.stop();
    expect(questions).toMatchObject([{ operationId: 'dbt_a.3', attempt: 3, gate: 'tests', environment: 'prod' }]);
    expect(stage.recorded).toMatchObject([{ debtId: 'dbt_a', outcome: 'failed' }]);
    expect(stage.recorded[0]?.message).toHaveLength(2_000);
  });

  it('gives up a gate that ignores its time-out, and takes no more than it can ask', async () => {
    const ignoring: AskGate = () => new Promise<never>(() => undefined);
    const many = Array.from({ length: 20 }, (_, number) => makeDue(`n${number}`));
    const stage = start(ignoring, [() => due(...many), () => due(makeDue('late'))]);
    await stage.clock.pass(GATE_TIMEOUT_MS);
    expect(stage.recorded).toEqual([]);
    // Not asked again while all its places are taken.
    expect(stage.limits).toEqual([20]);
    await stage.clock.pass(1_000);
    expect(stage.recorded).toHaveLength(20);
    expect(stage.recorded[0]).toMatchObject({ outcome: 'timeout', message: 'no answer within 60000 ms' });
    // As soon as there was room for one.
    expect(stage.limits.slice(0, 2)).toEqual([20, 1]);
    await stage.clock.pass(GATE_TIMEOUT_MS + 1_000);
    await stage.stop();
  });

  it('goes on after the database failed, and past a debt that cannot be read', async () => {
    const broken = { debt: makeDue('broken').debt, error: new Error('no such definition') };
    const stage = start(passed, [
      () => {
        throw new Error('connection reset');
      },
      () => ({ due: [makeDue('sound')], unreadable: [broken] }),
    ]);
    await stage.clock.pass(0);
    expect(stage.logged).toEqual(['debts could not be claimed']);
    await stage.clock.pass(POLL_MS);
    await stage.stop();
    expect(stage.logged).toContain('the promotion of a debt cannot be read');
    expect(stage.recorded).toEqual([{ debtId: 'dbt_sound', outcome: 'passed', message: 'fine' }]);
  });

  it('records nothing of what it aborted itself when it is stopped', async () => {
    const { ask, signals } = makeHangingGate();
    const stage = start(ask, [() => due(makeDue('a'))]);
    await waitFor(() => signals.length === 1, { timeoutMs: 5_000, why: 'the gate is asked' });
    await stage.stop();
    expect(signals[0]?.aborted).toBe(true);
    expect(stage.recorded).toEqual([]);
  });

  it('says so when the definition has no such gate any more', async () => {
    const stage = start(passed, [() => due(makeDue('a', 'gone'))]);
    await stage.clock.pass(0);
    await stage.stop();
    expect(stage.recorded).toMatchObject([{ outcome: 'error', message: 'the definition has no gate gone' }]);
  });
});
