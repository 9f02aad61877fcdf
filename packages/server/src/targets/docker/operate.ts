/**
 * One accepted operation at a `docker` target, over an engine that is its own until it ends. Whatever happens before the
 * switch leaves what serves as it is; from the switch on the operation goes to its end.
 */
import type { DockerTargetDefinition, ReleaseComponent } from '@stella/domain';
import { AppError } from '@stella/domain';
import type { Clock } from '../../ports/clock.ts';
import type { DockerEngine } from '../../ports/docker-engine.ts';
import type { Secrets } from '../../ports/secrets.ts';
import type { OperationAnswer } from '../../ports/target.ts';
import type { CallScope } from '../call-scope.ts';
import { checkSteady, waitForHealth } from './container-health.ts';
import { labelOf, originLabels, type TargetPlace } from './container-names.ts';
import { configHash, containerSpec } from './container-spec.ts';
import { digestOfImage, ensureImage, type ImageDeps } from './ensure-image.ts';
import { lookAtContainer } from './observe-container.ts';
import { readSecrets } from './read-secrets.ts';
import { checkOwn, findContainers, isAsPromised, mend, SwitchBroken, switchContainer } from './switch-container.ts';

export interface OperateDeps extends ImageDeps {
  readonly clock: Clock;
  readonly secrets: Secrets;
}

export interface Operation {
  readonly definition: DockerTargetDefinition;
  readonly place: TargetPlace;
  readonly operationId: string;
  readonly component: ReleaseComponent;
  /** The operation before has said how it ended, so that nothing of it can still arrive at the engine. */
  readonly mayKeep: boolean;
}

export interface OperationWork {
  readonly scope: CallScope;
  /** Throws `FencedOut` when a newer fence is known at the target. */
  readonly checkStillAccepted: () => Promise<void>;
  readonly onSwitching: () => void;
}

type Succeeded = Extract<OperationAnswer, { outcome: 'succeeded' }>;

/** Throws what the answer is made of when it did not succeed; `SwitchBroken` when it is not known what serves. */
export async function operate(
  engine: DockerEngine,
  deps: OperateDeps,
  operation: Operation,
  work: OperationWork,
): Promise<Succeeded> {
  const { definition, place, component, operationId } = operation;
  const { scope } = work;
  const { digest } = component;
  const found = await findContainers(engine, place);
  checkOwn(place, found);
  const main = await mend(engine, place, found);
  const config = configHash(definition);
  if (
    mayStay(operation) &&
    isAsPromised(main, { digest, config }) &&
    (await runsDigest(engine, main?.imageId, digest))
  ) {
    await work.checkStillAccepted();
    return { outcome: 'succeeded', digest, message: `container ${place.container} runs ${digest} already` };
  }
  scope.check();
  const { reference, image, words } = await ensureImage(
    engine,
    deps,
    { target: definition.name, component },
    scope.signal,
  );
  scope.check();
  const labels = originLabels(place, { component: component.name, digest, operationId, config });
  const spec = containerSpec(definition, {
    image: reference,
    labels,
    secrets: await readSecrets(deps, definition.name, definition.secretEnv),
  });
  const waitUntilHealthy = (id: string): Promise<void> => ensureHealthy(engine, deps, { definition, id }, scope);
  const wish = { place, operationId, order: definition.order, stopTimeoutMs: definition.stopTimeoutMs, spec, main };
  const made = await switchContainer(engine, wish, { ...work, waitUntilHealthy });
  if (made.imageId !== image.id) {
    const details = { target: definition.name, expected: image.id, actual: made.imageId };
    throw new SwitchBroken(new AppError('target.wrong_digest', { details }));
  }
  return { outcome: 'succeeded', digest, message: `${words}; container ${place.container} runs image ${image.id}` };
}

/** A secret that has changed shows nowhere else than in a new container. */
function mayStay({ mayKeep, definition }: Operation): boolean {
  return mayKeep && Object.keys(definition.secretEnv).length === 0;
}

async function runsDigest(engine: DockerEngine, imageId: string | undefined, digest: string): Promise<boolean> {
  const image = imageId === undefined ? null : await engine.findImage(imageId);
  return image !== null && digestOfImage(image, digest) === digest;
}

async function ensureHealthy(
  engine: DockerEngine,
  { clock }: OperateDeps,
  { definition, id }: { readonly definition: DockerTargetDefinition; readonly id: string },
  scope: CallScope,
): Promise<void> {
  const { health, name } = definition;
  const container = await engine.inspect(id);
  const found =
    health?.kind === 'container'
      ? await waitForHealth(engine, id, { check: health, clock }, scope)
      : container && (await checkSteady(engine, container, scope));
  if (found?.isHealthy) return;
  const message = found?.message ?? 'the container is gone';
  throw new AppError('target.unhealthy', { details: { target: name, message } });
}

/**
 * What became of an operation whose caller is gone, by what runs; null when it did not come to its end, as while the
 * container that it replaces still runs beside. The caller has made sure that it cannot go on any more.
 */
export async function lookUp(engine: DockerEngine, place: TargetPlace, operationId: string): Promise<Succeeded | null> {
  const { digest, container, message } = await lookAtContainer(engine, place);
  if (message !== '' || digest === null || container === null) return null;
  if (labelOf(container, 'operation') !== operationId || labelOf(container, 'digest') !== digest) return null;
  return { outcome: 'succeeded', digest, message: 'switched, and was ended before it could say so' };
}
