/** Workers: those of an orchestrator of the drill's own, which are killed, stopped, or never there. */
import type { Drill } from '../drill.ts';
import { killOwn, type OwnOrder, runStella, variablesOfOwn } from '../own/own-orchestrator.ts';
import { SILENCE, WELL } from '../place.ts';
import type { World } from '../world.ts';

/** The API answers on, whatever becomes of the worker. */
const PAIR: OwnOrder = { shape: 'pair' };
const HOUR = '1h';

function slowGate(world: World): object {
  return { name: world.name, kind: 'http', url: world.gateUrl, timeout: HOUR, retries: 0, backoff: '0s' };
}

/** A promotion that waits at its gate, which a worker asks; then `fault` happens. Answers the promotion. */
export async function breakInSilence(
  world: World,
  fault: (promotion: string) => Promise<void> | void,
): Promise<string> {
  await world.apply({ gates: [slowGate(world)] });
  world.behave({ gate: SILENCE });
  const promotion = await world.promote(await world.release('1'));
  await world.until(promotion, ({ gates }) => gates.some(({ state }) => state === 'evaluating'), 'asks its gate');
  await fault(promotion);
  return promotion;
}

function service(world: World, verb: string): Promise<string> {
  return runStella(['service', verb, 'orchestrator'], variablesOfOwn(world.own()));
}

const none: Drill = {
  cause: 'worker.none',
  fault: 'the only orchestrator with a worker was killed, and its supervisor too',
  own: PAIR,
  async inject(world) {
    await world.apply({});
    const release = await world.release('1');
    await killOwn(world.own().dataDir);
    return world.promote(release);
  },
};

const dead: Drill = {
  cause: 'worker.dead',
  fault: 'the orchestrator that has the promotion was killed, and its supervisor too',
  own: PAIR,
  inject: (world) =>
    breakInSilence(world, async () => {
      await killOwn(world.own().dataDir);
      world.behave(WELL);
    }),
};

const restarting: Drill = {
  cause: 'worker.restarting',
  fault: 'none: the orchestrator is being started again',
  own: PAIR,
  async inject(world) {
    await world.apply({});
    const release = await world.release('1');
    await service(world, 'stop');
    return world.promote(release);
  },
  async repair(world) {
    await service(world, 'start');
  },
};

export const WORKER_DRILLS: readonly Drill[] = [none, dead, restarting];
