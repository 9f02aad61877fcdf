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
  ObserveAnswer,
  OperationAnswer,
  ProbeAnswer,
  SealAnswer,
  Target,
  TargetCall,
} from '../ports/target.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { checkStatePlace } from './command-place.ts';
import { checkSteady, waitForHealth } from './docker/container-health.ts';
import type { TargetPlace } from './docker/container-names.ts';
import { dialArgv, type EnginePlace, explainFailure, withEngine } from './docker/engine-session.ts';
import { lookAtContainer } from './docker/observe-container.ts';
import { lookUp, operate, readSecrets } from './docker/operate.ts';
import { probeEngine } from './docker/probe-engine.ts';
import { checkOwn, findContainers, SwitchBroken } from './docker/switch-container.ts';
import { type FencedHost, makeFencedHost } from './fenced-host.ts';
import { isOperationId } from './files/files-place.ts';
import { checkHealth } from './health-check.ts';
import type { TargetDeps } from './target-deps.ts';
import { FencedOut, isClearNo, toErroredAnswer, toOperationAnswer } from './target-errors.ts';

/** A switch that has begun is carried on for so long after nobody waits any more: most engines need a second. */
const SWITCH_GRACE_MS = 60_000;

type Wish = readonly [fence: Fence, operationId: string, component: ReleaseComponent];

interface Parts {
  readonly definition: DockerTargetDefinition;
  readonly place: TargetPlace;
  readonly engine: EnginePlace;
  readonly fence: FencedHost;
  readonly deps: TargetDeps;
}

export function openDockerTarget(definition: DockerTargetDefinition, environment: string, deps: TargetDeps): Target {
  const target = definition.name;
  const parts = openParts(definition, environment, deps);
  const within = <Answer>(call: TargetCall, toAnswer: (error: unknown) => Answer, run: Run<Answer>): Promise<Answer> =>
    withinCall<Answer>({ call, clock: deps.clock, target }, toAnswer, async (scope) => {
      checkStatePlace(deps, definition);
      return run(scope);
    });
  const apply: Target['deploy'] = (call, fence, operationId, component) =>
    within<OperationAnswer>(
      call,
      (error) => toOperationAnswer(error, target),
      (scope) => carryOut(parts, [fence, operationId, component], scope),
    );
  return {
    probe: (call) => probe(parts, call),
    observe: (call) =>
      within<ObserveAnswer>(
        call,
        (error) => toErroredAnswer(error, target),
        async (scope) => ({ outcome: 'ok', observation: await observe(parts, scope) }),
      ),
    seal: (call, fence) =>
      within<SealAnswer>(
        call,
        (error) =>
          error instanceof FencedOut ? { outcome: 'refused', held: error.held } : toErroredAnswer(error, target),
        (scope) => seal(parts, fence, scope),
      ),
    deploy: apply,
    rollback: apply,
  };
}

type Run<Answer> = (scope: CallScope) => Promise<Answer>;

function openParts(definition: DockerTargetDefinition, environment: string, deps: TargetDeps): Parts {
  const { name: target, container } = definition;
  const { openEngine, engineSockets } = deps;
  const host = deps.openHost(definition.host ?? null, target);
  const stateDirectory = definition.stateDirectory ?? `targets/${environment}/${target}`;
  return {
    definition,
    place: { environment, target, container },
    engine: { definition, host, openEngine, engineSockets },
    fence: makeFencedHost(host, { target, stateDirectory }),
    deps,
  };
}

function probe(
  { definition, place, engine, fence, deps: { clock, secrets } }: Parts,
  call: TargetCall,
): Promise<ProbeAnswer> {
  return probeEngine(
    {
      clock,
      engine,
      fence,
      checkOwn: async (found) => checkOwn(place, await findContainers(found, place)),
      lookFurther: async (timer) => {
        if (Object.keys(definition.secretEnv).length === 0) return;
        await timer.run(
          'auth',
          () => 'auth.secret_missing',
          async () => `${Object.keys(await readSecrets({ secrets }, definition)).length} secrets are there`,
        );
      },
    },
    call,
  );
}

async function observe(
  { definition, place, engine: enginePlace, fence, deps }: Parts,
  scope: CallScope,
): Promise<Observation> {
  const { health } = definition;
  const found = await withEngine(enginePlace, scope, async (engine) => {
    const { digest, container, message } = await lookAtContainer(engine, place);
    if (digest === null || !container || message !== '') return { digest, isHealthy: false, message };
    const well =
      health?.kind === 'container'
        ? await waitForHealth(engine, container.id, { check: health, clock: deps.clock }, scope)
        : await checkSteady(engine, container, scope);
    return { digest, ...well };
  });
  const holds = await fence.holds(scope);
  if (!found.isHealthy || health === null || health.kind === 'container') return { ...found, holds };
  return { ...found, ...(await checkHealth(deps, health, scope)), holds };
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

async function carryOut(
  parts: Parts,
  [fence, operationId, component]: Wish,
  scope: CallScope,
): Promise<OperationAnswer> {
  if (!isOperationId(operationId)) throw badOperationId(operationId);
  const operation = { fence, operationId };
  const before = await parts.fence.last(scope);
  const lasting = lastingScope(scope, parts.deps.clock);
  let hasBegun = false;
  const answer = await parts.fence.apply(lasting.scope, operation, dialArgv(parts.engine), (program) => {
    hasBegun = true;
    const mayKeep = before !== null && before.result !== null;
    return work(parts, { operation, component, mayKeep, program, lasting });
  });
  if (hasBegun || answer.outcome !== 'errored') return answer;
  // A repeat of one that did not say how it ended: what runs tells it.
  const found = await withEngine(parts.engine, scope, (engine) => lookUp(engine, parts.place, operationId));
  return found ?? answer;
}

interface Work {
  readonly operation: { readonly fence: Fence; readonly operationId: string };
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
}

/** Ends with the call until the switch begins, and from then on only when that takes far too long. */
function lastingScope(scope: CallScope, clock: Clock): LastingScope {
  const controller = new AbortController();
  let isSwitching = false;
  const end = (): void => {
    if (isSwitching) clock.schedule(SWITCH_GRACE_MS, () => controller.abort());
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
  };
}

function badOperationId(operationId: string): AppError {
  const message = `"${operationId.slice(0, 100)}" is not an operation id; expected 1 to 128 letters, digits, "_", ".", "-"`;
  return new AppError('input.invalid', { details: { message } });
}
