/** Outcomes of attempts: the first of an operation counts, later ones are kept as late (safety S3, S17). */
import { isPlanted, toStorableText } from '@stella/domain';
import type { AttemptResult, PromotionId, UnknownHolding } from '@stella/domain';
import type { OutcomeRecord } from '@stella/server';
import { demand } from './database-refusal.ts';
import { unknownHoldingOf } from './memory-fences.ts';
import type { StoredPromotion } from './memory-state.ts';
import type { MemoryTransaction } from './memory-transaction.ts';

export interface InsertedOutcomes {
  readonly ended: readonly string[];
  readonly unknownHoldings: readonly UnknownHolding[];
}

/** Answers which ones are new, and what of their targets is not known. Repeating one changes nothing. */
export function insertOutcomes(
  tx: MemoryTransaction,
  id: PromotionId,
  outcomes: readonly OutcomeRecord[],
  endedAtMs: number,
): InsertedOutcomes {
  if (outcomes.length === 0) return { ended: [], unknownHoldings: [] };
  const { state } = tx;
  const row = tx.get(state.promotions, id);
  const attempts = new Map(row?.attempts);
  const ended: string[] = [];
  const unknownHoldings: UnknownHolding[] = [];
  let isChanged = false;
  for (const { operationId, result: given } of outcomes) {
    const { holds, ...result } = given;
    const attempt = attempts.get(operationId);
    demand(attempt !== undefined, FOREIGN, () => `no operation ${operationId}`);
    if (!isEnding(result)) {
      attempts.set(operationId, { ...attempt, acknowledgedAtMs: attempt.acknowledgedAtMs ?? endedAtMs });
      isChanged = true;
      continue;
    }
    if (attempt.result !== null && !isPlanted('outcome.overwritten')) continue;
    const workerId = row?.promotion.workerId ?? null;
    attempts.set(operationId, { ...attempt, workerId, result: { ...printable(result), output: '', endedAtMs } });
    ended.push(operationId);
    const unknown = row ? unknownHoldingOf(tx, row.promotion.environment, attempt.subject, holds) : null;
    if (unknown) unknownHoldings.push(unknown);
    const output = toStorableText(result.output);
    if (output !== '') tx.put(state.outputs, operationId, { output, endedAtMs });
  }
  if (row && (isChanged || ended.length > 0)) tx.put(state.promotions, id, { ...row, attempts });
  return { ended, unknownHoldings };
}

const FOREIGN = { sqlState: '23503', constraint: 'attempt_outcomes_operation_id_fkey' };

/** After a lost claim, or when another outcome was first: kept, without effect. The same one is not kept twice. */
export function insertLateOutcomes(
  tx: MemoryTransaction,
  id: PromotionId,
  outcomes: readonly OutcomeRecord[],
  endedAtMs: number,
): void {
  const { state } = tx;
  const row = tx.get(state.promotions, id);
  const ending = outcomes.flatMap(({ operationId, result: given }) => {
    const { holds: _compared, ...result } = given;
    return isEnding(result) ? [{ operationId, result: printable(result) }] : [];
  });
  // All of one statement are compared with what there was before it.
  const fresh = ending.filter(({ operationId, result }) => !isKept(tx, row, operationId, result));
  for (const { operationId, result } of fresh) {
    demand(row?.attempts.has(operationId) === true, FOREIGN, () => `no operation ${operationId}`);
    state.lastOutcomeId += 1;
    const late = { operationId, result: { ...result, output: '', endedAtMs } };
    tx.put(state.lateOutcomes, state.lastOutcomeId, late);
  }
}

type Ending = Omit<AttemptResult, 'endedAtMs'>;

/** A question that was taken has no outcome yet. */
function isEnding(result: Omit<OutcomeRecord['result'], 'holds'>): result is Ending {
  return result.outcome !== 'acknowledged';
}

function isKept(
  tx: MemoryTransaction,
  row: StoredPromotion | undefined,
  operationId: string,
  { outcome, message }: Pick<AttemptResult, 'outcome' | 'message'>,
): boolean {
  const first = row?.attempts.get(operationId)?.result;
  if (first?.outcome === outcome && first.message === message) return true;
  for (const late of tx.rows(tx.state.lateOutcomes)) {
    const { result } = late;
    if (late.operationId === operationId && result.outcome === outcome && result.message === message) return true;
  }
  return false;
}

function printable(result: Ending): Ending {
  const message = toStorableText(result.message);
  return message === result.message ? result : { ...result, message };
}
