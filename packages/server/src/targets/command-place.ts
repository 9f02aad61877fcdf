/** Where the work of a target on a host is done: its host, its fence, and whether the server may write there. */
import { resolve } from 'node:path';
import { AppError, type CommandTargetDefinition } from '@stella/domain';
import { isWithinAny } from '../ports/within.ts';
import type { FencedHost } from './fenced-host.ts';
import type { TargetDeps } from './target-deps.ts';
import type { ProgramPlace } from './target-program.ts';

export interface CommandPlace extends ProgramPlace {
  readonly definition: CommandTargetDefinition;
  readonly fenced: FencedHost;
}

/** On this machine the server writes only where it may. */
export function checkStatePlace(
  deps: Pick<TargetDeps, 'allowedDirectories'>,
  definition: Pick<CommandTargetDefinition, 'name' | 'host' | 'stateDirectory'>,
): void {
  if (isStateCovered(deps, definition)) return;
  const { name, stateDirectory = '' } = definition;
  throw new AppError('target.directory_forbidden', { details: { target: name, directory: stateDirectory } });
}

export function isStateCovered(
  { allowedDirectories }: Pick<TargetDeps, 'allowedDirectories'>,
  { host, stateDirectory }: Pick<CommandTargetDefinition, 'host' | 'stateDirectory'>,
): boolean {
  if (host !== undefined || stateDirectory === undefined) return true;
  return isWithinAny(resolve(stateDirectory), allowedDirectories);
}
