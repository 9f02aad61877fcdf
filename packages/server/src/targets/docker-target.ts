/**
 * The `docker` target: one container of one component, created by digest on the engine of a host. Its fence is on the host
 * (`fenced-host.ts`), around the program that carries the stream to the engine: a newer operation ends that program, and
 * with it all that the older one could still ask for. What runs is read from the engine each time.
 */
import { AppError, type DockerTargetDefinition, type Fence, type ReleaseComponent } from '@stella/domain';
import { type Clock, pause } from '../ports/clock.ts';
import type { HostProgram } from '../ports/target-host.ts';
import type {
  Observation,
  OperationAnswer,
  ProbeAnswer,
  SealAnswer,
  Target,
  TargetCall,
  TargetParts,
} from '../ports/target.ts';
import type { CallScope } from './call-scope.ts';
import { checkSteady, waitForHealth } from './docker/container-health.ts';
import type { TargetPlace } from './docker/container-names.ts';
import { dialArgv, explainFailure, withEngine } from './docker/engine-session.ts';
import { type EngineParts, makeEngineTarget, openEngineParts } from './docker/engine-target.ts';
import { lookAtContainer } from './docker/observe-container.ts';
import { lookUp, operate } from './docker/operate.ts';
import { probeEngine } from './docker/probe-engine.ts';
import { checkOwn, findContainers, SwitchBroken } from './docker/switch-container.ts';
import type { Operation } from './fenced-host.ts';
import type { TargetDeps } from './target-deps.ts';
import { FencedOut, isClearNo } from './target-errors.ts';

/** A switch that has begun is carried on for so long after nobody waits any more: most engines need a second. */
const SWITCH_GRACE_MS = 60_000;

interface Parts extends EngineParts<DockerTargetDefinition> {
  readonly place: TargetPlace;
}

export function openDockerTarget(definition: DockerTargetDefinition, environment: string, deps: TargetDeps): Target {
  const { name: target, container } = definition;
  const parts = { ...openEngineParts(definition, environment, deps), place: { environment, target, container } };
  return makeEngineTarget(parts, {
    probe: (call) => probe(parts, call),
    look: (scope) => look(parts, scope),
    seal: (fence, scope) => seal(parts, fence, scope),
    carryOut: (operation, components, scope) => carryOut(parts, { operation, components }, scope),
  });
}

function probe(parts: Parts, call: TargetCall): Promise<ProbeAnswer> {
  const { definition, place } = parts;
  return probeEngine(
    {
      parts,
      checkOwn: async (found) => checkOwn(place, await findContainers(found, place)),
      secrets: definition.secretEnv,
    },
    call,
  );
}

function look(
  { definition, place, engine: enginePlace, deps }: Parts,
  scope: CallScope,
): Promise<Omit<Observation, 'holds'>> {
  const { health } = definition;
  return withEngine(enginePlace, scope, async (engine) => {
    const { digest, container, message } = await lookAtContainer(engine, place);
    if (digest === null || !container || message !== '') return { digest, isHealthy: false, message };
    const well =
      health?.kind === 'container'
        ? await waitForHealth(engine, container.id, { check: health, clock: deps.clock }, scope)
        : await checkSteady(engine, container, scope);
    return { digest, ...well };
  });
}

/** From the stored pair on nothing older can change anything; what the operation before has done is found by what runs. */
async function seal(
  { fence, engine: enginePlace, place }: Parts,
  sealed: Fence,
  scope: CallScope,
): Promise<SealAnswer> {
  const answer = await fence.seal(scope, sealed);
  if (answer.outcome !== 'sealed' || answer.last === null || answer.last.result !== null) return answer;
  const { operationId } = answer.last;
  const result =
    operationId === null ? null : await withEngine(enginePlace, scope, (engine) => lookUp(engine, place, operationId));
  return { outcome: 'sealed', last: { ...answer.last, result } };
}

interface Wish {
  readonly operation: Operation;
  readonly components: TargetParts;
}

async function carryOut(
  parts: Parts,
  { operation, components: [component] }: Wish,
  scope: CallScope,
): Promise<OperationAnswer> {
  const before = await parts.fence.last(scope);
  const lasting = lastingScope(scope, parts.deps.clock);
  let hasBegun = false;
  try {
    const answer = await parts.fence.apply(lasting.scope, operation, dialArgv(parts.engine), (program) => {
      hasBegun = true;
      const mayKeep = before !== null && before.result !== null;
      return work(parts, { operation, component, mayKeep, program, lasting });
    });
    if (hasBegun || answer.outcome !== 'errored') return answer;
    // A repeat of one that did not say how it ended: what runs tells it.
    const { operationId } = operation;
    const found = await withEngine(parts.engine, scope, (engine) => lookUp(engine, parts.place, operationId));
    return found ?? answer;
  } finally {
    lasting.done();
  }
}

interface Work {
  readonly operation: Operation;
  readonly component: ReleaseComponent;
  readonly mayKeep: boolean;
  readonly program: HostProgram;
  readonly lasting: LastingScope;
}

/** A clear no is an answer, which is recorded; everything else is thrown, for the fence may explain it. */
async function work(
  { definition, place, engine: { openEngine }, fence, deps }: Parts,
  { operation, component, mayKeep, program, lasting }: Work,
): Promise<OperationAnswer> {
  const { scope, onSwitching } = lasting;
  const engine = openEngine(program.stream, scope.signal);
  const checkStillAccepted = (): Promise<void> => fence.check(scope, operation);
  try {
    const { operationId } = operation;
    const wish = { definition, place, operationId, component, mayKeep };
    return await operate(engine, deps, wish, { scope, checkStillAccepted, onSwitching });
  } catch (error) {
    if (error instanceof FencedOut) throw error;
    deps.logger.warn(
      { target: definition.name, operationId: operation.operationId, error },
      'an operation of a target did not succeed',
    );
    if (error instanceof SwitchBroken) {
      const details = { target: definition.name, message: error.message };
      throw new AppError('target.switch_broken', { details, cause: error });
    }
    const known = await explainFailure(error, { target: definition.name, program }, scope);
    if (isClearNo(known)) return { outcome: 'failed', code: known.code, message: known.message };
    throw known;
  }
}

interface LastingScope {
  readonly scope: CallScope;
  readonly onSwitching: () => void;
  readonly done: () => void;
}

/** Ends with the call until the switch begins, and from then on only when that takes far too long. */
function lastingScope(scope: CallScope, clock: Clock): LastingScope {
  const controller = new AbortController();
  let isSwitching = false;
  let stopGrace: () => void = () => undefined;
  const end = (): void => {
    if (isSwitching) stopGrace = clock.schedule(SWITCH_GRACE_MS, () => controller.abort());
    else controller.abort();
  };
  if (scope.signal.aborted) end();
  else scope.signal.addEventListener('abort', end, { once: true });
  return {
    scope: {
      ...scope,
      signal: controller.signal,
      ending: () => (isSwitching ? null : scope.ending()),
      check: () => (isSwitching ? undefined : scope.check()),
      pause: (delayMs) => pause(clock, delayMs, controller.signal),
    },
    onSwitching: () => {
      isSwitching = true;
    },
    done: () => {
      scope.signal.removeEventListener('abort', end);
      stopGrace();
    },
  };
}
