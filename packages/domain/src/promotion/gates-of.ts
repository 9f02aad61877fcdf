/**
 * Which gates a promotion has to pass, by its kind. A rollback brings back what passed the gates of machines before: they
 * are not asked again, unless the gate says so (`onRollback: ask`); persons and times are. A forced deploy steps around the
 * predecessors, so it does not soak in them either.
 */
import type { GateDefinition } from '../environment/environment-definition.ts';
import { isPlanted } from '../planted-bugs.ts';
import type { Promotion } from './promotion.ts';

type Wayfarer = Pick<Promotion, 'kind' | 'isForced' | 'definition'>;

/** In the order of the definition. */
export function gatesOf(promotion: Wayfarer): readonly GateDefinition[] {
  return promotion.definition.gates.filter((gate) => isAsked(promotion, gate));
}

function isAsked({ kind, isForced }: Wayfarer, gate: GateDefinition): boolean {
  switch (kind) {
    case 'promote':
      return true;
    case 'deploy':
      return !(isForced && gate.kind === 'soak') && !isPlanted('deploy.gates_left_out');
    case 'rollback':
      if (isPlanted('rollback.gates_left_out')) return false;
      return gate.kind === 'approval' || gate.kind === 'window' || gate.onRollback === 'ask';
  }
}

/** Whether the release must have completed in the predecessors; of a deploy its artifacts must (safety S11). */
export function asksPredecessors({ kind, isForced }: Pick<Promotion, 'kind' | 'isForced'>): boolean {
  return kind === 'promote' || (kind === 'deploy' && !isForced && !isPlanted('deploy.predecessors_ignored'));
}
