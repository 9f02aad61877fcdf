/** `POST /apply` */
import { AppError, type EnvironmentDefinition, type NotificationChannel } from '@stella/domain';
import { applyChannels } from '../../engine/commands/apply-channels.ts';
import { applyDefinitions as applyAll } from '../../engine/commands/apply-definitions.ts';
import type { RouteHandler } from '../route-handler.ts';

export const applyDefinitions: RouteHandler<'applyDefinitions'> = async (
  { configuration },
  { caller, body, write },
) => {
  const takenBy = new Map<string, string>();
  const definitions: EnvironmentDefinition[] = [];
  const channels: NotificationChannel[] = [];
  for (const { file, text } of body.documents) {
    const parsed = configuration.parseDocuments(text, file);
    for (const { definition } of parsed.environments) {
      takeName(takenBy, `environment "${definition.name}"`, file);
      definitions.push(definition);
    }
    for (const { definition } of parsed.channels) {
      takeName(takenBy, `channel "${definition.name}"`, file);
      channels.push(definition);
    }
  }
  const isPruned = (kind: (typeof body.pruneKinds)[number], count: number): boolean =>
    (body.prune && count > 0) || body.pruneKinds.includes(kind);
  const environments = { definitions, isPruning: isPruned('Environment', definitions.length) };
  const isPruning = isPruned('Notification', channels.length);
  const findCycle = configuration.findCycle.bind(configuration);
  return write(async (tx) => ({
    dryRun: body.dryRun,
    changes: await applyAll(tx, caller, { ...environments, removed: body.remove, findCycle }),
    channels: await applyChannels(tx, caller, { channels, isPruning }),
  }));
};

function takeName(takenBy: Map<string, string>, what: string, file: string): void {
  const other = takenBy.get(what);
  if (other !== undefined) {
    throw new AppError('input.invalid', { details: { message: `${what} is in ${other} and in ${file}` } });
  }
  takenBy.set(what, file);
}
