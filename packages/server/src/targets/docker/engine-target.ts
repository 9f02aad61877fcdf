/**
 * What the kinds whose containers are on an engine have in common: where their engine and their fence are, and how the work
 * of a verb becomes its answer.
 */
import type { ComposeTargetDefinition, DockerTargetDefinition, Fence } from '@stella/domain';
import type {
  Observation,
  ObserveAnswer,
  OperationAnswer,
  ProbeAnswer,
  SealAnswer,
  Target,
  TargetCall,
  TargetParts,
} from '../../ports/target.ts';
import { type CallScope, withinCall } from '../call-scope.ts';
import { checkStatePlace } from '../command-place.ts';
import { type FencedHost, makeFencedHost, type Operation } from '../fenced-host.ts';
import { checkOperationId } from '../files/files-place.ts';
import { checkHealth } from '../health-check.ts';
import type { TargetDeps } from '../target-deps.ts';
import { toErroredAnswer, toOperationAnswer } from '../target-errors.ts';
import type { ProgramPlace } from '../target-program.ts';
import type { EnginePlace } from './engine-session.ts';

export interface EngineParts<Definition = DockerTargetDefinition | ComposeTargetDefinition> {
  readonly definition: Definition;
  readonly environment: string;
  readonly engine: EnginePlace;
  readonly fence: FencedHost;
  readonly deps: TargetDeps;
}

export function openEngineParts<Definition extends DockerTargetDefinition | ComposeTargetDefinition>(
  definition: Definition,
  environment: string,
  deps: TargetDeps,
): EngineParts<Definition> {
  const { name: target } = definition;
  const { openEngine, engineSockets } = deps;
  const host = deps.openHost(definition.host ?? null, target);
  const stateDirectory = definition.stateDirectory ?? `targets/${environment}/${target}`;
  return {
    definition,
    environment,
    engine: { definition, host, openEngine, engineSockets },
    fence: makeFencedHost(host, { target, stateDirectory }),
    deps,
  };
}

/** Programs of the definition run where the engine is. */
export function programPlaceOf({ definition, environment, engine: { host } }: EngineParts): ProgramPlace {
  return { definition, environment, host };
}

/** Of one kind; what these throw becomes the answer. */
export interface EngineWork {
  readonly probe: (call: TargetCall) => Promise<ProbeAnswer>;
  /** What runs, and how its engine finds it. */
  readonly look: (scope: CallScope) => Promise<Omit<Observation, 'holds'>>;
  readonly seal: (fence: Fence, scope: CallScope) => Promise<SealAnswer>;
  readonly carryOut: (operation: Operation, components: TargetParts, scope: CallScope) => Promise<OperationAnswer>;
}

export function makeEngineTarget(parts: EngineParts, work: EngineWork): Target {
  const { definition, deps } = parts;
  const target = definition.name;
  const within = <Answer>(call: TargetCall, toAnswer: (error: unknown) => Answer, run: Run<Answer>): Promise<Answer> =>
    withinCall<Answer>({ call, clock: deps.clock, target }, toAnswer, async (scope) => {
      checkStatePlace(deps, definition);
      return run(scope);
    });
  const toErrored = (error: unknown): ReturnType<typeof toErroredAnswer> => toErroredAnswer(error, target);
  const apply: Target['deploy'] = (call, fence, operationId, ...components) =>
    within<OperationAnswer>(
      call,
      (error) => toOperationAnswer(error, target),
      async (scope) => {
        checkOperationId(operationId);
        return work.carryOut({ fence, operationId }, components, scope);
      },
    );
  return {
    probe: work.probe,
    observe: (call) =>
      within<ObserveAnswer>(call, toErrored, async (scope) => ({
        outcome: 'ok',
        observation: await observe(parts, work, scope),
      })),
    seal: (call, fence) => within<SealAnswer>(call, toErrored, (scope) => work.seal(fence, scope)),
    deploy: apply,
    rollback: apply,
  };
}

type Run<Answer> = (scope: CallScope) => Promise<Answer>;

async function observe(parts: EngineParts, work: EngineWork, scope: CallScope): Promise<Observation> {
  const { definition, fence, deps } = parts;
  const { health } = definition;
  const found = await work.look(scope);
  const holds = await fence.holds(scope);
  const { digest } = found;
  if (!found.isHealthy || digest === null || health?.kind === 'container') return { ...found, holds };
  return { digest, ...(await checkHealth(deps, health, { place: programPlaceOf(parts), digest }, scope)), holds };
}
