/** One gate of any kind → its answer. Only kinds with attempts are asked; the others are decided from the snapshot. */
import type { Clock } from '../ports/clock.ts';
import type { AskGate } from '../ports/gate.ts';
import type { HttpClient } from '../ports/http-client.ts';
import { makeHttpGate } from './http-gate.ts';

export function makeAskGate(deps: { http: HttpClient; clock: Clock }): AskGate {
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
