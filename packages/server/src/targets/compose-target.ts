/**
 * The `compose` target: a project of several services, whose images Stella pins. Each deploy is a lock that the host keeps
 * under its checksum, and one run of Compose inside of the fence (`fenced-host.ts`), which a newer operation ends. An exit
 * code promises nothing: what runs is read from the engine, by the image of every container.
 */
import {
  AppError,
  combinedDigest,
  composeSecrets,
  type ComposeTargetDefinition,
  type ReleaseComponent,
} from '@stella/domain';
import type { HostProgram } from '../ports/target-host.ts';
import type { Observation, OperationAnswer, ProbeAnswer, Target, TargetCall } from '../ports/target.ts';
import type { CallScope } from './call-scope.ts';
import { readEnd } from './command-target.ts';
import { LOCK_NOT_KEPT, scriptInput, upArgv, withoutValues } from './compose/compose-script.ts';
import { readComposeVersion } from './compose/compose-version.ts';
import { ensureImages } from './compose/ensure-images.ts';
import { checkOwnProject, checkProjectHealth, lookAtProject, type SeenPart } from './compose/look-at-project.ts';
import { type Lock, renderLock, valueVariables } from './compose/render-lock.ts';
import { dialArgv, ENGINE_SOCKET, withEngine } from './docker/engine-session.ts';
import { type EngineParts, makeEngineTarget, openEngineParts } from './docker/engine-target.ts';
import { probeEngine } from './docker/probe-engine.ts';
import { readSecrets } from './docker/read-secrets.ts';
import type { Operation } from './fenced-host.ts';
import type { TargetDeps } from './target-deps.ts';
import { lastWords } from './target-program.ts';

type Parts = EngineParts<ComposeTargetDefinition>;

export function openComposeTarget(definition: ComposeTargetDefinition, environment: string, deps: TargetDeps): Target {
  const parts = openEngineParts(definition, environment, deps);
  return makeEngineTarget(parts, {
    probe: (call) => probe(parts, call),
    look: (scope) => look(parts, scope),
    seal: (fence, scope) => parts.fence.seal(scope, fence),
    carryOut: (operation, components, scope) => carryOut(parts, { operation, components }, scope),
  });
}

function probe(parts: Parts, call: TargetCall): Promise<ProbeAnswer> {
  const { definition, engine } = parts;
  return probeEngine(
    {
      parts,
      checkOwn: (found) => checkOwnProject(found, parts),
      secrets: composeSecrets(definition),
      findPrograms: async (scope) =>
        `Compose ${await readComposeVersion({ host: engine.host, target: definition.name }, scope)}`,
    },
    call,
  );
}

function look(parts: Parts, scope: CallScope): Promise<Omit<Observation, 'holds'>> {
  const { definition, engine: enginePlace, deps } = parts;
  return withEngine(enginePlace, scope, async (engine) => {
    const seen = await lookAtProject(engine, parts);
    const digest = seen.parts && combinedDigest(seen.parts);
    if (digest === null || seen.message !== '') return { digest, isHealthy: false, message: seen.message };
    return { digest, ...(await checkProjectHealth(engine, seen, { definition, clock: deps.clock }, scope)) };
  });
}

interface Wish {
  readonly operation: Operation;
  readonly components: readonly ReleaseComponent[];
}

async function carryOut(parts: Parts, { operation, components }: Wish, scope: CallScope): Promise<OperationAnswer> {
  const { definition, environment, engine: place, fence, deps } = parts;
  // Refused for an engine of this machine that nobody allowed, before anything is done.
  dialArgv(place);
  const last = await fence.last(scope);
  const isRepeat = last?.operationId === operation.operationId;
  const secrets = isRepeat ? {} : await readSecrets(deps, definition.name, composeSecrets(definition));
  const { words, isMadeAnew } = isRepeat
    ? { words: '', isMadeAnew: false }
    : await withEngine(place, scope, async (engine) => {
        await checkOwnProject(engine, parts);
        const seen = await lookAtProject(engine, parts);
        const told = await ensureImages(engine, deps, { definition, parts: components }, scope);
        // Of an operation that did not say how it ended a last request may still stop what Compose would leave running.
        return { words: told, isMadeAnew: seen.isAltered || (last !== null && last.result === null) };
      });
  const { directory } = await fence.probe(scope);
  const lock = renderLock(definition, { environment, operation, parts: components });
  const { host, socket, project } = definition;
  const up = upArgv(
    { directory, checksum: lock.checksum },
    { project, socket: socket ?? (host ? null : ENGINE_SOCKET), isMadeAnew },
  );
  return fence.apply(scope, operation, up, async (program) => {
    const failure = await bringUp(parts, { operation, lock, program, secrets }, scope);
    return failure ?? (await answerByLooking(parts, { components, words, lock }, scope));
  });
}

interface BringUp {
  readonly operation: Operation;
  readonly lock: Lock;
  readonly program: HostProgram;
  /** Values by their names (`composeSecrets`). */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Null when Compose has done it. */
async function bringUp(
  { definition, fence }: Parts,
  { operation, lock, program, secrets }: BringUp,
  scope: CallScope,
): Promise<OperationAnswer | null> {
  const target = definition.name;
  const values: Record<string, string> = {};
  for (const [name, variable] of Object.entries(valueVariables(definition))) values[variable] = secrets[name] ?? '';
  await fence.check(scope, operation);
  program.stream.write(scriptInput(lock.text, values));
  const ended = await readEnd(program, operation.operationId);
  const { exitCode } = ended;
  const said = withoutValues(ended.said, values);
  if (exitCode === 0) return null;
  if (exitCode === null) {
    const message = 'Compose was ended before it was done';
    throw new AppError('target.interrupted', { details: { target, message } });
  }
  if (exitCode === LOCK_NOT_KEPT) {
    const message = `its lock cannot be kept: ${lastWords(said)}`;
    const code = /No space left|quota exceeded/i.test(said) ? 'target.disk_full' : 'target.disk';
    throw new AppError(code, { details: { target, message } });
  }
  const { code, message } = new AppError('target.compose_failed', {
    details: { target, message: `exit code ${exitCode}: ${lastWords(said)}` },
  });
  return { outcome: 'failed', code, message };
}

interface Done {
  readonly components: readonly ReleaseComponent[];
  readonly words: string;
  readonly lock: Lock;
}

/** Whether it is healthy is asked later; that it is what was sent is asked while the fence is held. */
async function answerByLooking(
  parts: Parts,
  { components, words, lock }: Done,
  scope: CallScope,
): Promise<OperationAnswer> {
  const seen = await withEngine(parts.engine, scope, (engine) => lookAtProject(engine, parts));
  const others = components.flatMap((part) => otherThan(part, seen.parts ?? []));
  if (seen.parts === null || others.length > 0) {
    const message = [...others, seen.message].filter((one) => one !== '').join('; ');
    return { outcome: 'failed', code: 'target.wrong_digest', message };
  }
  const message = `${words}; lock ${lock.checksum.slice(0, 12)}`;
  return { outcome: 'succeeded', digest: combinedDigest(seen.parts), message };
}

function otherThan({ name, digest }: ReleaseComponent, seen: readonly SeenPart[]): readonly string[] {
  const found = seen.find((one) => one.name === name);
  return found === undefined || found.digest === digest
    ? []
    : [`component ${name} runs ${found.digest} instead of ${digest}`];
}
