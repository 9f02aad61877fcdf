/** Who is asked whether a canary is well: a health check or a query of metrics, behind this interface. */
import type { CanaryJudge } from '@stella/domain';
import type { GateCall } from './gate.ts';

/** `failed` is a no; `timeout` and `error` mean that we could not tell. */
export interface JudgeAnswer {
  readonly outcome: 'passed' | 'failed' | 'timeout' | 'error';
  /** For people: the value or status that was found, and what was expected. */
  readonly message: string;
}

/** Never throws: every failure is an answer. Ends within the call's time-out, at once when its signal aborts. */
export type AskJudge = (judge: CanaryJudge, call: GateCall) => Promise<JudgeAnswer>;
