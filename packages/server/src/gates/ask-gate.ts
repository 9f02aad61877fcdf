/** One gate of any kind → its answer. Only kinds with attempts are asked; the others are decided from the snapshot. */
import type { AskGate } from '../ports/gate.ts';
import { type CommandGateDeps, makeCommandGate } from './command-gate.ts';
import { type HttpGateDeps, makeHttpGate } from './http-gate.ts';

export function makeAskGate(deps: HttpGateDeps & CommandGateDeps): AskGate {
  const httpGate = makeHttpGate(deps);
  const commandGate = makeCommandGate(deps);
  return (gate, question, call) => {
    if (gate.kind === 'http') return httpGate.evaluate(gate, question, call);
    if (gate.kind === 'command') return commandGate.evaluate(gate, question, call);
    return Promise.resolve({
      outcome: 'error',
      code: 'gate.error',
      message: `a gate of kind ${gate.kind} has no attempts`,
    });
  };
}
