/**
 * From what stands on the engine to the promised container in its place. Every step leaves names by which the next
 * operation sees how far this one came (`container-names.ts`), so that it can be cut at any point.
 *
 * The program that carries the stream is ended before a newer operation begins, but a request that it had sent may still
 * be carried out. That changes nothing that counts: all that follow a container's creation name it by its id, and the
 * newer operation removes every container that is not its own; one that is created late was never started, and is removed
 * by the operation after. Only a container that the older operation was about to stop may not be kept: `mayKeep` is false
 * where an operation before did not say how it ended.
 */
import { AppError, type Digest, type SwitchOrder } from '@stella/domain';
import {
  type ContainerSpec,
  type DockerEngine,
  type EngineContainer,
  EngineFailure,
} from '../../ports/docker-engine.ts';
import { formerName, isFormer, isOf, labelOf, nextName, placeLabels, type TargetPlace } from './container-names.ts';

/** One container of each kind, and what interrupted operations have left; more are not ours to clear. */
const CONTAINERS_MAX = 50;

export interface Found {
  /** What serves, or should; null when there is none of that name. */
  readonly main: EngineContainer | null;
  /** The others of this target. */
  readonly others: readonly EngineContainer[];
}

/** Throws `target.in_the_way` when the name is that of somebody else's container. */
export async function findContainers(engine: DockerEngine, place: TargetPlace): Promise<Found> {
  const main = await engine.inspect(place.container);
  const ids = (await engine.list(placeLabels(place))).filter((id) => id !== main?.id).slice(0, CONTAINERS_MAX);
  const others: EngineContainer[] = [];
  for (const id of ids) {
    const other = await engine.inspect(id);
    if (other) others.push(other);
  }
  return { main, others };
}

export function checkOwn(place: TargetPlace, { main }: Found): void {
  if (main === null || isOf(place, main)) return;
  const { container, target } = place;
  throw new AppError('target.in_the_way', { details: { target, container } });
}

/**
 * What an interrupted operation has left, put right: a new container that never ran goes, one that was put aside comes
 * back when nothing has its place, and whatever else there is goes. Answers what serves then.
 */
export async function mend(engine: DockerEngine, place: TargetPlace, found: Found): Promise<EngineContainer | null> {
  let { main } = found;
  const former = found.others.find((one) => isFormer(place, one)) ?? null;
  if (main?.state === 'created' && former) {
    await engine.remove(main.id);
    main = null;
  }
  if (main === null && former) {
    await engine.rename(former.id, place.container);
    await startAgain(engine, former.id);
    main = await engine.inspect(former.id);
  }
  for (const other of found.others) {
    if (other.id !== main?.id) await engine.remove(other.id);
  }
  if (main && main.state === 'exited') await startAgain(engine, main.id);
  return main;
}

/** A former container that no longer starts is no reason not to replace it. */
async function startAgain(engine: DockerEngine, id: string): Promise<void> {
  try {
    await engine.start(id);
  } catch (error) {
    if (!(error instanceof EngineFailure) || error.status === null) throw error;
  }
}

export interface SwitchWish {
  readonly place: TargetPlace;
  readonly operationId: string;
  readonly order: SwitchOrder;
  readonly stopTimeoutMs: number;
  readonly spec: ContainerSpec;
  /** What serves now. */
  readonly main: EngineContainer | null;
}

export interface SwitchWork {
  /** Throws when a newer fence is known at the target. */
  readonly checkStillAccepted: () => Promise<void>;
  /** From here on it goes to its end. */
  readonly onSwitching: () => void;
  /** Waits until a container that was started beside the other is well; throws `target.unhealthy`. */
  readonly waitUntilHealthy: (id: string) => Promise<void>;
}

/** Answers the new container. Throws when the old one serves on; `SwitchBroken` when that is not sure. */
export async function switchContainer(
  engine: DockerEngine,
  wish: SwitchWish,
  work: SwitchWork,
): Promise<EngineContainer> {
  const { place, operationId, spec, order } = wish;
  const id = await engine.create(nextName(place, operationId), spec);
  const isBeside = order === 'start_first';
  try {
    if (isBeside) {
      await work.checkStillAccepted();
      await engine.start(id);
      await work.waitUntilHealthy(id);
    }
    await work.checkStillAccepted();
  } catch (error) {
    await withdraw(engine, id, error);
  }
  work.onSwitching();
  await replace(engine, wish, id);
  try {
    const made = await engine.inspect(id);
    if (!made) throw new EngineFailure(404, 'the container is gone as soon as it was started');
    if (wish.main) await engine.remove(wish.main.id);
    return made;
  } catch (error) {
    // The new one has begun to serve: that the engine says no to what is left to do is no answer that nothing was changed.
    throw new SwitchBroken(error);
  }
}

/** Nothing was switched: the new container goes again, and the error stands. */
async function withdraw(engine: DockerEngine, id: string, error: unknown): Promise<never> {
  // Over a stream that has ended nothing can be removed; the next operation does.
  if (!(error instanceof EngineFailure && error.status === null)) await engine.remove(id);
  throw error;
}

/** The old container steps aside before the new one takes its name: two cannot have one. */
async function replace(
  engine: DockerEngine,
  { place, operationId, main, stopTimeoutMs, order }: SwitchWish,
  id: string,
): Promise<void> {
  try {
    if (main && order === 'stop_first') await engine.stop(main.id, stopTimeoutMs);
    if (main) await engine.rename(main.id, formerName(place, operationId));
    await engine.rename(id, place.container);
    await engine.start(id);
    if (main && order === 'start_first') await engine.stop(main.id, stopTimeoutMs);
  } catch (error) {
    if (error instanceof EngineFailure && error.status === null) throw new SwitchBroken(error);
    await bringBack(engine, { place, main, id }, error);
  }
}

async function bringBack(
  engine: DockerEngine,
  { place, main, id }: { readonly place: TargetPlace; readonly main: EngineContainer | null; readonly id: string },
  cause: unknown,
): Promise<never> {
  try {
    await engine.remove(id);
    const old = main ? await engine.inspect(main.id) : null;
    if (old && old.name !== place.container) await engine.rename(old.id, place.container);
    if (old) await engine.start(old.id);
  } catch (error) {
    throw new SwitchBroken(error);
  }
  throw cause;
}

/** In the middle of a switch the engine was lost, or what was undone would not come back. */
export class SwitchBroken extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'SwitchBroken';
  }
}

/** What serves was made by that operation, of that artifact and definition, and runs. */
export function isAsPromised(
  main: EngineContainer | null,
  { digest, config }: { readonly digest: Digest; readonly config: Digest },
): boolean {
  return main?.state === 'running' && labelOf(main, 'digest') === digest && labelOf(main, 'config') === config;
}
