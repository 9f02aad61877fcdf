/** One gate of any kind → its answer. Only kinds with attempts are asked; the others are decided from the snapshot. */
import type { GateDefinition } from '@stella/domain';
import type { GateAnswer, GateCall, GateQuestion } from '../ports/gate.ts';
import type { HttpClient } from '../ports/http-client.ts';
import { makeHttpGate } from './http-gate.ts';

export type AskGate = (gate: GateDefinition, question: GateQuestion, call: GateCall) => Promise<GateAnswer>;

export function makeAskGate(deps: { http: HttpClient }): AskGate {
  const httpGate = makeHttpGate(deps);
  return (gate, question, call) => {
    if (gate.kind === 'http') return httpGate.evaluate(gate, question, call);
    return Promise.resolve({
      outcome: 'error',
      code: 'gate.error',
      message: `a gate of kind ${gate.kind} has no attempts`,
    });
  };
}
