/** What really runs of a project: its containers, and the image that each was started from. */
import { AppError, composeMap, type ComposeTargetDefinition, type Digest } from '@stella/domain';
import type { Clock } from '../../ports/clock.ts';
import type { DockerEngine, EngineContainer } from '../../ports/docker-engine.ts';
import type { CallScope } from '../call-scope.ts';
import { checkSteady, waitForHealth, whyNotRunning } from '../docker/container-health.ts';
import { isOf, labelOf } from '../docker/container-names.ts';
import { digestOfImage } from '../docker/ensure-image.ts';
import type { Health } from '../health-check.ts';

/** Set by every Compose, of whatever age. */
const PROJECT_LABEL = 'com.docker.compose.project';
const SERVICE_LABEL = 'com.docker.compose.service';
/** Of `docker compose run`, which is no part of what serves. */
const ONE_OFF_LABEL = 'com.docker.compose.oneoff';
/** Each is asked for by itself; what is not asked for could run anything. */
const CONTAINERS_MAX = 200;
const PROBLEMS_TOLD_MAX = 3;

export interface ProjectPlace {
  readonly environment: string;
  readonly definition: ComposeTargetDefinition;
}

export interface SeenPart {
  readonly name: string;
  readonly digest: Digest;
}

export interface SeenProject {
  /** Every component with what runs of it, in the order of `componentsOf`; null when one of them is not whole. */
  readonly parts: readonly SeenPart[] | null;
  /** Of the services of the definition. */
  readonly containers: readonly EngineContainer[];
  /** A container is not of the image that it should be; Compose itself believes its labels, and would leave it. */
  readonly isAltered: boolean;
  /** What is wrong, by service; empty when nothing is, however healthy they may be. */
  readonly message: string;
}

interface ServiceContainer {
  readonly service: string;
  readonly container: EngineContainer;
}

/** A label says what was promised, and is never believed: the image of each container tells which artifact it is of. */
export async function lookAtProject(engine: DockerEngine, place: ProjectPlace): Promise<SeenProject> {
  const { components, compose } = place.definition;
  const services = Object.keys(composeMap(compose['services']));
  const all = await containersOf(engine, place);
  const own = all.filter(({ service }) => services.includes(service));
  const wrong: string[] = [];
  const digests = new Map<string, Set<Digest>>();
  for (const one of own) {
    const found = await lookAtImage(engine, place, one);
    if (typeof found === 'string') wrong.push(found);
    const component = components[one.service];
    if (typeof found !== 'string' && component !== undefined) {
      digests.set(component, (digests.get(component) ?? new Set()).add(found.digest));
    }
  }
  for (const [component, found] of digests) {
    if (found.size > 1) wrong.push(`component ${component} runs as ${[...found].join(' and ')}`);
  }
  const missing = services.filter((service) => !own.some((one) => one.service === service));
  const problems = [
    ...wrong,
    ...missing.map((service) => `service ${service} has no container`),
    ...own.flatMap(({ service, container }) => prefixed(service, whyNotRunning(container))),
    ...all.flatMap(({ service, container }) =>
      services.includes(service) || container.state !== 'running'
        ? []
        : [`container ${container.name} of service ${service} runs beside those of the target`],
    ),
  ];
  return {
    parts: wrong.length === 0 ? wholeParts([...new Set(Object.values(components))].sort(), digests) : null,
    containers: own.map(({ container }) => container),
    isAltered: wrong.length > 0,
    message: problems.slice(0, PROBLEMS_TOLD_MAX).join('; '),
  };
}

function wholeParts(
  names: readonly string[],
  digests: ReadonlyMap<string, ReadonlySet<Digest>>,
): readonly SeenPart[] | null {
  const parts = names.flatMap((name) => [...(digests.get(name) ?? [])].map((digest) => ({ name, digest })));
  return parts.length === names.length ? parts : null;
}

/** A text when it is not what it should be. */
async function lookAtImage(
  engine: DockerEngine,
  place: ProjectPlace,
  { service, container }: ServiceContainer,
): Promise<{ readonly digest: Digest } | string> {
  const promised = promisedOf(place, service, container);
  const image = await engine.findImage(container.imageId);
  const digest = image ? digestOfImage(image, promised) : null;
  if (digest === null) {
    const what = image ? 'came from no registry' : 'is gone from the engine';
    return `service ${service} runs image ${container.imageId}, which ${what}`;
  }
  const { environment, definition } = place;
  if (!isOf({ environment, target: definition.name }, container)) {
    return `service ${service} runs ${digest}, in a container that Stella did not make`;
  }
  return digest === promised ? { digest } : `service ${service} runs ${digest} instead of ${promised ?? 'nothing'}`;
}

/** Of a component by the label of its container; of another service as the definition pins it. */
function promisedOf({ definition }: ProjectPlace, service: string, container: EngineContainer): string | null {
  if (definition.components[service] !== undefined) return labelOf(container, 'digest');
  const { image } = composeMap(composeMap(definition.compose['services'])[service]);
  return typeof image === 'string' ? (image.split('@')[1] ?? null) : null;
}

/** Throws `target.engine_refused` for more than are looked at. */
async function containersOf(engine: DockerEngine, { definition }: ProjectPlace): Promise<readonly ServiceContainer[]> {
  const { name: target, project } = definition;
  const ids = await engine.list({ [PROJECT_LABEL]: project });
  if (ids.length > CONTAINERS_MAX) {
    const message = `project ${project} has ${ids.length} containers; at most ${CONTAINERS_MAX} are looked at`;
    throw new AppError('target.engine_refused', { details: { target, message } });
  }
  const found: ServiceContainer[] = [];
  for (const id of ids) {
    const container = await engine.inspect(id);
    if (!container || container.labels[ONE_OFF_LABEL] === 'True') continue;
    found.push({ service: container.labels[SERVICE_LABEL] ?? '', container });
  }
  return found;
}

/** Throws `target.in_the_way` when somebody else has a project of that name there. */
export async function checkOwnProject(engine: DockerEngine, place: ProjectPlace): Promise<void> {
  const target = place.definition.name;
  const others = await containersOf(engine, place);
  const other = others.find(({ container }) => !isOf({ environment: place.environment, target }, container));
  if (!other) return;
  throw new AppError('target.in_the_way', { details: { target, container: other.container.name } });
}

/** Those with a health check of their own by that, when the definition says so; the others by staying up. */
export async function checkProjectHealth(
  engine: DockerEngine,
  { containers }: SeenProject,
  { definition, clock }: { readonly definition: ComposeTargetDefinition; readonly clock: Pick<Clock, 'monotonicMs'> },
  scope: CallScope,
): Promise<Health> {
  const { health } = definition;
  const check = health?.kind === 'container' ? health : null;
  if (check && containers.every((one) => one.health === 'none')) {
    return {
      isHealthy: false,
      message: 'no service has a health check of its own; an image or a service should bring one',
    };
  }
  const answers = await Promise.all(
    containers.map((one) =>
      check && one.health !== 'none'
        ? waitForHealth(engine, one.id, { check, clock }, scope)
        : checkSteady(engine, one, scope),
    ),
  );
  const problems = answers.flatMap(({ message }, index) =>
    prefixed(containers[index]?.labels[SERVICE_LABEL] ?? '', message === '' ? null : message),
  );
  return { isHealthy: problems.length === 0, message: problems.slice(0, PROBLEMS_TOLD_MAX).join('; ') };
}

function prefixed(service: string, problem: string | null): readonly string[] {
  return problem === null ? [] : [`service ${service}: ${problem}`];
}
