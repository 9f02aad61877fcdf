/** `POST /apply` */
import { AppError, type EnvironmentDefinition } from '@stella/domain';
import { applyDefinitions as applyAll } from '../../engine/commands/apply-definitions.ts';
import type { RouteHandler } from '../route-handler.ts';

export const applyDefinitions: RouteHandler<'applyDefinitions'> = async (
  { configuration },
  { caller, body, write },
) => {
  const places = new Map<string, string>();
  const definitions: EnvironmentDefinition[] = [];
  for (const { file, text } of body.documents) {
    for (const { definition } of configuration.parseEnvironments(text, file)) {
      const other = places.get(definition.name);
      if (other !== undefined) {
        const message = `environment "${definition.name}" is in ${other} and in ${file}`;
        throw new AppError('input.invalid', { details: { message } });
      }
      places.set(definition.name, file);
      definitions.push(definition);
    }
  }
  return write(async (tx) => ({
    dryRun: body.dryRun,
    changes: await applyAll(tx, caller, {
      definitions,
      isPruning: body.prune,
      findCycle: (all) => configuration.findCycle(all),
    }),
  }));
};
