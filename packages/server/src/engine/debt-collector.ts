/**
 * Asks skipped gates again for what runs, until they pass. Any number of collectors share the debts. The asking has a
 * deadline and an operation id of its own for each time; an answer that comes after the debt was closed or claimed again
 * has no effect.
 */
import {
  type Actor,
  type DebtAnswer,
  type GateDebt,
  type GateDefinition,
  lookAtDebt,
  withGateSettings,
  hasAttempts,
} from '@stella/domain';
import type { AskGate } from '../ports/gate.ts';
import { type Clock, endWithin, pause } from '../ports/clock.ts';
import type { DebtStore, DueDebt } from '../ports/debt-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { EngineMetrics } from '../ports/metrics.ts';
import { type ClaimLoop, startClaimLoop } from './claim-loop.ts';

/** Nobody waits for a debt; each look is a commit, also when nothing is owed. */
const POLL_MS = 2_000;
/** Between two looks for a callback of a service. */
const CALLBACK_POLL_MS = 1_000;
/** Askings under way in one process: hung gates only delay other debts, never promotions. */
const IN_FLIGHT_MAX = 20;
/** A gate that ignores its time-out is given up so long after it; well within what the claim leaves. */
const GIVE_UP_AFTER_MS = 1_000;
const MESSAGE_LENGTH_MAX = 2_000;

const ACTOR: Actor = { kind: 'system', name: 'debts' };

export interface DebtCollectorDeps {
  readonly store: DebtStore;
  readonly askGate: AskGate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<EngineMetrics, 'gateEvaluated'>;
}

export function startDebtCollector(deps: DebtCollectorDeps): ClaimLoop {
  const { store, clock, logger } = deps;
  return startClaimLoop({
    clock,
    pollMs: POLL_MS,
    atOnce: IN_FLIGHT_MAX,
    async take(limit) {
      const { due, unreadable } = await store.takeDueDebts(limit);
      for (const { debt, error } of unreadable) {
        const { id: debtId, gate, environment, promotionId } = debt;
        logger.error({ error, debtId, gate, environment, promotionId }, 'the promotion of a debt cannot be read');
      }
      return due;
    },
    onError: (error) => logger.warn({ error }, 'debts could not be claimed'),
    work: (due, signal) => collect(deps, due, signal),
  });
}

/** Never rejects: what was not recorded is due again. */
async function collect(deps: DebtCollectorDeps, due: DueDebt, signal: AbortSignal): Promise<void> {
  const { store, logger } = deps;
  const { id: debtId, gate, environment } = due.debt;
  try {
    const answer = lookAtDebt(due.debt, due.snapshot, due.nowMs) ?? (await ask(deps, due, signal));
    // Our own end is no answer of the gate.
    if (signal.aborted && answer.outcome !== 'passed') return;
    const recorded = await store.recordAnswer(due.debt, answer, ACTOR);
    if (recorded?.state === 'paid') logger.info({ debtId, gate, environment }, 'a debt was paid');
  } catch (error) {
    logger.warn({ error, debtId, gate, environment }, 'a debt could not be asked for');
  }
}

async function ask(deps: DebtCollectorDeps, { debt, snapshot }: DueDebt, signal: AbortSignal): Promise<DebtAnswer> {
  const { promotion, settings } = snapshot;
  const declared = promotion.definition.gates.find((one) => one.name === debt.gate);
  if (!declared) return { outcome: 'error', message: `the definition has no gate ${debt.gate}` };
  const gate = withGateSettings(declared, promotion.environment, settings);
  const timeoutMs = hasAttempts(gate) ? gate.timeoutMs : 0;
  return endWithin(
    deps.clock,
    { deadlineMs: timeoutMs + GIVE_UP_AFTER_MS, signal },
    (ending) => askOnce(deps, { debt, snapshot, gate, timeoutMs }, ending),
    () => ({ outcome: 'timeout', message: `no answer within ${timeoutMs} ms` }),
  );
}

interface CallbackAnswer {
  readonly outcome: 'passed' | 'failed' | 'timeout';
  readonly message: string;
}

interface Question {
  readonly debt: GateDebt;
  readonly snapshot: DueDebt['snapshot'];
  readonly gate: GateDefinition;
  readonly timeoutMs: number;
}

async function askOnce(
  { askGate, store, clock, metrics }: DebtCollectorDeps,
  { debt, snapshot, gate, timeoutMs }: Question,
  signal: AbortSignal,
): Promise<DebtAnswer> {
  const { release } = snapshot;
  const question = {
    operationId: `${debt.id}.${debt.askCount}`,
    promotionId: debt.promotionId,
    gateRunId: debt.gateRunId,
    gate: gate.name,
    environment: debt.environment,
    attempt: debt.askCount,
    release: { name: release.name, components: release.components.map(({ name, digest }) => ({ name, digest })) },
  };
  const startedAtMs = clock.monotonicMs();
  const given = await askGate(gate, question, { signal, timeoutMs });
  const { outcome, message } =
    given.outcome === 'acknowledged' ? await awaitCallback(store, clock, question.operationId, signal) : given;
  const { environment } = debt;
  const durationMs = clock.monotonicMs() - startedAtMs;
  metrics.gateEvaluated({ environment, gate: gate.name, kind: gate.kind, outcome, durationMs });
  return { outcome, message: message.slice(0, MESSAGE_LENGTH_MAX) };
}

/** What its service called back with; whoever asked gives it up by the signal. */
async function awaitCallback(
  store: DebtStore,
  clock: Clock,
  operationId: string,
  signal: AbortSignal,
): Promise<CallbackAnswer> {
  while (!signal.aborted) {
    const given = await store.findCallback(operationId);
    if (given) return given;
    await pause(clock, CALLBACK_POLL_MS, signal);
  }
  return { outcome: 'timeout', message: 'took the question and did not call back' };
}
