/** A stream to the engine of a target: through the program `docker` of its host, with the fence around it or without. */
import { AppError, type DockerTargetDefinition } from '@stella/domain';
import { type DockerEngine, EngineFailure, type OpenDockerEngine } from '../../ports/docker-engine.ts';
import type { HostArgv, HostProgram, TargetHost } from '../../ports/target-host.ts';
import type { CallScope } from '../call-scope.ts';
import { toEngineError } from './engine-errors.ts';

/** Where Docker's packages put it; used on this machine, where nothing of the server's environment may say otherwise. */
export const ENGINE_SOCKET = '/var/run/docker.sock';

/** A program whose stream has ended says why at once. */
const LAST_WORDS_TIMEOUT_MS = 2_000;

/** Of a target whose containers are on an engine. */
export type EngineDefinition = Pick<DockerTargetDefinition, 'name' | 'host' | 'socket'>;

export interface EnginePlace {
  readonly definition: EngineDefinition;
  readonly host: TargetHost;
  readonly openEngine: OpenDockerEngine;
  /** Of this machine, which definitions may use. */
  readonly engineSockets: readonly string[];
}

/**
 * The program that joins its stdin and stdout to the engine. Throws `target.engine_forbidden` for an engine of this
 * machine that nobody allowed at the start.
 */
export function dialArgv({ definition, engineSockets }: Pick<EnginePlace, 'definition' | 'engineSockets'>): HostArgv {
  const { host, socket, name } = definition;
  if (host) return ['docker', ...(socket === null ? [] : ['--host', `unix://${socket}`]), 'system', 'dial-stdio'];
  const path = socket ?? ENGINE_SOCKET;
  if (!isEngineAllowed(definition, engineSockets)) {
    throw new AppError('target.engine_forbidden', { details: { target: name, socket: path } });
  }
  return ['docker', '--host', `unix://${path}`, 'system', 'dial-stdio'];
}

/** True for every host but this machine, whose engines are listed. */
export function isEngineAllowed(
  { host, socket }: Pick<DockerTargetDefinition, 'host' | 'socket'>,
  engineSockets: readonly string[],
): boolean {
  return host !== undefined || engineSockets.includes(socket ?? ENGINE_SOCKET);
}

/** For whoever only looks. Throws an `AppError`. */
export async function withEngine<Answer>(
  place: EnginePlace,
  scope: CallScope,
  use: (engine: DockerEngine) => Promise<Answer>,
): Promise<Answer> {
  const program = await place.host.open(dialArgv(place), { signal: scope.signal });
  const engine = place.openEngine(program.stream, scope.signal);
  try {
    return await use(engine);
  } catch (error) {
    scope.check();
    throw await explainFailure(error, { target: place.definition.name, program }, scope);
  } finally {
    engine.close();
  }
}

/** What was lost with the stream is told by the program that carried it. */
export async function explainFailure(
  failure: unknown,
  { target, program }: { readonly target: string; readonly program: HostProgram },
  scope: CallScope,
): Promise<AppError> {
  const isLost = failure instanceof EngineFailure && failure.status === null;
  if (!isLost) return toEngineError(failure, target);
  program.stream.destroy();
  const waited = scope.pause(LAST_WORDS_TIMEOUT_MS).then(() => null);
  const ended = await Promise.race([program.ended, waited]);
  return toEngineError(failure, target, ended?.stderr ?? '');
}
