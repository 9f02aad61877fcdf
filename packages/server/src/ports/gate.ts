/** Gates that ask something outside: one file per kind under `gates/`, behind this interface. */
import type { Digest, GateDefinition, GateRunId, PromotionId } from '@stella/domain';

/** What a gate is asked about; canonical, recorded with the attempt for replay. */
export interface GateQuestion {
  readonly operationId: string;
  readonly promotionId: PromotionId;
  readonly gateRunId: GateRunId;
  readonly gate: string;
  readonly environment: string;
  readonly attempt: number;
  readonly release: {
    readonly name: string;
    readonly components: readonly { readonly name: string; readonly digest: Digest }[];
  };
  /** Where the verdict goes, of a gate that is called back by its service. */
  readonly callback?: { readonly url: string };
}

/** `failed` is a no; `timeout` and `error` mean that we could not tell. */
export type GateAnswer =
  | {
      readonly outcome: 'passed' | 'failed';
      readonly message: string /** The answer in canonical form, at most 16 KiB. */;
      readonly output: string;
    }
  | { readonly outcome: 'timeout' | 'error'; readonly code: string; readonly message: string }
  /** The service has taken the question and will call back. */
  | { readonly outcome: 'acknowledged'; readonly message: string };

/** How long one attempt may take, which settings may have changed since the definition; and its early end. */
export interface GateCall {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Never throws: every failure is an answer. Ends within the call's time-out, at once when its signal aborts. */
export interface GateEvaluator<Definition> {
  evaluate(definition: Definition, question: GateQuestion, call: GateCall): Promise<GateAnswer>;
}

/** A gate of any kind; of the port, because effects and debts are asked through it. Never throws. */
export type AskGate = (gate: GateDefinition, question: GateQuestion, call: GateCall) => Promise<GateAnswer>;
