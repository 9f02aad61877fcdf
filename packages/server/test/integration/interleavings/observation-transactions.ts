/**
 * Looks at targets for all pairs: a round of each of two environments that a server has under way, others that are due, and
 * a promotion that soaks in one of them.
 */
import { decide, digestOf } from '@stella/domain';
import { makeDefinition, makeSoakGate } from '@stella/testkit';
import type { Claim } from '../../../src/ports/engine-store.ts';
import type { DueRound } from '../../../src/ports/observation-store.ts';
import {
  ACTOR,
  claimOne,
  command,
  create,
  hire,
  inTransaction,
  type Place,
  play,
  set,
} from '../../contract/store-play.ts';
import type { StoreWorld } from '../../contract/store-world.ts';

const EVERY_MS = 1_000;
const OBSERVER = { by: 'host-1', jitter: 0 };
const SEEN = makeDefinition({ name: 'seen' });
const AFTER = makeDefinition({
  name: 'after',
  promotesFrom: [SEEN.name],
  gates: [makeSoakGate({ environments: [SEEN.name] })],
});
export const OBSERVATION_DEFINITIONS = [SEEN, AFTER];

export interface ObservationStage {
  /** Of `prod`, to which promotions come later; and of `seen`, which runs a release. */
  readonly prod: DueRound;
  readonly seen: DueRound;
  /** Waits in `after`; nobody has it. */
  readonly soaking: Claim;
}

/** All other rounds have ended, and are due again. */
export async function setObservationStage(place: Place): Promise<ObservationStage> {
  const { world } = place;
  await set(place, 'observe.every', EVERY_MS);
  const { id: scout } = await hire(world);
  await create(place, SEEN.name, 1);
  await play(world, await claimOne(world, scout));
  await world.control.pass(2 * EVERY_MS);
  const rounds = await world.observations.takeDueRounds(100);
  const of = (name: string): DueRound => {
    const round = rounds.find(({ environment }) => environment === name);
    if (!round) throw new Error(`${name} is not due`);
    return round;
  };
  const [prod, seen] = [of('prod'), of(SEEN.name)];
  for (const round of rounds) {
    if (round !== prod && round !== seen) await world.observations.recordRound(round, [], OBSERVER);
  }
  await world.control.pass(2 * EVERY_MS);
  await create(place, AFTER.name, 1);
  const soaking = await claimOne(world, scout);
  await play(world, soaking);
  return { prod, seen, soaking: { ...soaking, isTakeover: false } };
}

type Run = (
  world: StoreWorld,
  stage: { readonly place: Place; readonly observations: ObservationStage },
) => Promise<unknown>;

interface ObservationTransaction {
  readonly name: string;
  readonly isSkipping?: boolean;
  readonly run: Run;
}

/** Something else runs there. */
const recordOf =
  (pick: (stage: ObservationStage) => DueRound): Run =>
  async (world, { observations }) => {
    const round = pick(observations);
    const sight = { outcome: 'seen', digest: digestOf('other'), isHealthy: true, message: '' } as const;
    const looks = round.targets.map((target) => ({ target, sight }));
    const kept = await world.observations.recordRound(round, looks, OBSERVER);
    return kept?.map(({ target, driftSinceMs }) => `${target} ${driftSinceMs}`) ?? 'late';
  };

export const OBSERVATION_TRANSACTIONS: readonly ObservationTransaction[] = [
  {
    name: 'claim rounds',
    isSkipping: true,
    run: async (world) => {
      const due = await world.observations.takeDueRounds(10);
      return due.map(({ environment, number }) => `${environment} ${number}`);
    },
  },
  { name: 'record round', run: recordOf(({ prod }) => prod) },
  // Wakes whoever soaks there.
  { name: 'record drift', isSkipping: true, run: recordOf(({ seen }) => seen) },
  {
    name: 'tick soaking',
    run: async (world, { observations: { soaking } }) =>
      (await world.engine.tick(soaking, [], (...told) => decide(told[0], told[1], ACTOR, told[2]))).kind,
  },
  {
    name: 'cancel soaking',
    run: async (world, { place, observations: { soaking } }) =>
      command({ ...place, world }, soaking.promotionId, 'olga', { kind: 'cancel', reason: '' }),
  },
  { name: 'bring again', run: (world, { place }) => create({ ...place, world }, SEEN.name, 1) },
  {
    name: 'remove environment',
    run: (world) =>
      inTransaction(world, async (tx) => {
        await tx.lockEnvironments();
        await tx.removeEnvironment(SEEN.name);
        return 'removed';
      }),
  },
];
