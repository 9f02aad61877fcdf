/** `POST /apply` */
import {
  AppError,
  type EnvironmentDefinition,
  type NotificationChannel,
  type RegistryDefinition,
} from '@stella/domain';
import { applyChannels } from '../../engine/commands/apply-channels.ts';
import { applyDefinitions as applyAll } from '../../engine/commands/apply-definitions.ts';
import { applyRegistries } from '../../engine/commands/apply-registries.ts';
import type { RouteHandler } from '../route-handler.ts';

export const applyDefinitions: RouteHandler<'applyDefinitions'> = async (
  { configuration },
  { caller, body, write },
) => {
  const takenBy = new Map<string, string>();
  const definitions: EnvironmentDefinition[] = [];
  const channels: NotificationChannel[] = [];
  const registries: RegistryDefinition[] = [];
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
    for (const { definition } of parsed.registries) {
      takeName(takenBy, `registry "${definition.host}"`, file);
      registries.push(definition);
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
    registries: await applyRegistries(tx, caller, { registries, isPruning: isPruned('Registry', registries.length) }),
  }));
};

function takeName(takenBy: Map<string, string>, what: string, file: string): void {
  const other = takenBy.get(what);
  if (other !== undefined) {
    throw new AppError('input.invalid', { details: { message: `${what} is in ${other} and in ${file}` } });
  }
  takenBy.set(what, file);
}
