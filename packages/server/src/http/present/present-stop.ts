/** A stopped environment as the API shows it. */
import type { Answer } from '@stella/contract';
import { cureOf, describeHolding, type EnvironmentStatus, formatFence, toRfc3339 } from '@stella/domain';

export function presentStop({ name, stop }: EnvironmentStatus): Answer<'getEnvironment'>['stop'] {
  if (stop === null) return null;
  const { holds, target, lacks, atMs } = stop;
  return {
    at: toRfc3339(atMs),
    target,
    fence: formatFence(holds.fence),
    operationId: holds.operation?.operationId ?? null,
    lacks,
    message: describeHolding(stop),
    cure: cureOf(name),
  };
}
