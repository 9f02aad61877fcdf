/** The pipeline is a DAG given by `promotesFrom`; this finds what would make it a circle. */
import type { EnvironmentDefinition } from './environment-definition.ts';

type PipelineNode = Pick<EnvironmentDefinition, 'name' | 'promotesFrom'>;

/**
 * A circle in the direction of promotion, closed by its first name: `['dev', 'prod', 'staging', 'dev']`. Null when
 * there is none. Names that are not among `definitions` count as having no predecessors. Which circle is found depends
 * on the names only, not on their order.
 */
export function findCycle(definitions: readonly PipelineNode[]): readonly string[] | null {
  const left = new Map(definitions.map(({ name, promotesFrom }) => [name, new Set(promotesFrom)]));
  let before = Number.POSITIVE_INFINITY;
  // Takes away every environment whose predecessors are all gone; what stays has a predecessor that stays too.
  while (left.size < before) {
    before = left.size;
    for (const [name, predecessors] of left) {
      if (![...predecessors].some((one) => left.has(one))) left.delete(name);
    }
  }
  let name = [...left.keys()].sort()[0];
  const walked: string[] = [];
  while (name !== undefined && !walked.includes(name)) {
    walked.push(name);
    name = [...(left.get(name) ?? [])].sort().find((one) => left.has(one));
  }
  if (name === undefined) return null;
  // The walk went against the direction of promotion.
  const circle = walked.slice(walked.indexOf(name)).reverse();
  const first = circle.indexOf([...circle].sort()[0] ?? '');
  const turned = [...circle.slice(first), ...circle.slice(0, first)];
  return [...turned, ...turned.slice(0, 1)];
}
