/** Ways into an environment beside the pipeline: somebody rolls back, and somebody deploys an artifact of his choice. */
import {
  AppError,
  baseIdOf,
  componentsOf,
  type Completion,
  deployedComponent,
  formerReleaseOf,
  type Promotion,
  type PromotionId,
  type Release,
} from '@stella/domain';
import { createPromotion } from '../../src/engine/commands/create-promotion.ts';
import { deployArtifact } from '../../src/engine/commands/deploy-artifact.ts';
import type { AgendaWorld } from './agenda-of-people.ts';
import { PROMOTION_COUNT } from './seed-plan.ts';

/** Tries of each in a seed, at any time: most of them find nothing to go back to, or are refused. */
const ROLLBACKS = 3;
const DEPLOYS = 4;
/** Of a hundred promotions that end, what they leave is soon rolled back by somebody. */
const FOLLOWED_PERCENT = 30;

export interface OtherWaysWorld extends Pick<AgendaWorld, 'plan' | 'people' | 'scheduler' | 'state'> {
  later(delayMs: number, run: () => Promise<unknown>): void;
}

export function planOtherWays(world: OtherWaysWorld): void {
  const { plan, scheduler } = world;
  const { random } = scheduler;
  for (let n = 0; n < ROLLBACKS; n += 1) {
    const { name } = random.pick(plan.environments).definition;
    world.later(random.between(0, plan.faultsEndAfterMs), () => rollBack(world, name));
  }
  for (let n = 0; n < DEPLOYS; n += 1) {
    const { name } = random.pick(plan.environments).definition;
    world.later(random.between(0, plan.faultsEndAfterMs), () => deploy(world, name));
  }
}

/** What has ended somewhere is what somebody wants to have undone, or wants something else in the place of. */
export function followOtherWays(world: OtherWaysWorld, { environment }: Promotion): void {
  const { random } = world.scheduler;
  if (random.chance(FOLLOWED_PERCENT)) {
    world.later(random.between(1, 20_000), () => rollBack(world, environment));
  }
  if (random.chance(FOLLOWED_PERCENT / 2)) {
    world.later(random.between(1, 20_000), () => deploy(world, environment));
  }
}

function isFull({ state }: OtherWaysWorld): boolean {
  return state.promotions.size >= PROMOTION_COUNT;
}

/** As the route does it: what is looked at first is what the rollback is bound to. */
async function rollBack(world: OtherWaysWorld, environment: string): Promise<void> {
  const { people, state, scheduler } = world;
  const { random } = scheduler;
  const status = state.environments.get(environment);
  if (!status || isFull(world)) return;
  const isNamed = random.chance(40);
  const release = isNamed ? random.pick([...state.releases.values()]) : formerIn(world, environment);
  if (!release) return;
  const seenBaseId = baseIdOf(status, release);
  const naming = isNamed ? (['rollback.never_completed', 'rollback.not_older'] as const) : [];
  await people.act({
    word: isNamed ? 'rollback.named' : 'rollback.start',
    by: random.pick(['olga', 'olga', 'alice', 'dave']),
    mayEnd: ['promotion.base_moved', ...naming],
    work: async (tx, principal, { ids }): Promise<{ promotionId: PromotionId }> => {
      const way = { kind: 'rollback', priority: 'high', retryOf: null, reason: 'it fails', seenBaseId } as const;
      return { promotionId: await createPromotion(tx, { ids }, principal, { release, environment, ...way }) };
    },
  });
}

/** What a rollback without a name goes back to; null: nothing. */
function formerIn({ state }: OtherWaysWorld, environment: string): Release | null {
  const status = state.environments.get(environment);
  if (!status) return null;
  const completions: Completion[] = [...state.promotions.values()]
    .map(({ promotion }) => promotion)
    .filter((one) => one.environment === environment && one.status === 'completed')
    .sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0));
  try {
    const former = formerReleaseOf(status, completions);
    // What a place runs from the beginning of the seed never completed there.
    const hasCompleted = completions.some((one) => one.releaseId === former);
    return hasCompleted ? (state.releases.get(former) ?? null) : null;
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** An artifact that some release has: it may have come through the predecessors or not. */
async function deploy(world: OtherWaysWorld, environment: string): Promise<void> {
  const { people, state, scheduler } = world;
  const { random } = scheduler;
  const place = state.definitions.get(environment)?.definition;
  if (!place || isFull(world)) return;
  const wanted = new Set(place.targets.flatMap(componentsOf));
  const { components } = random.pick([...state.releases.values()]);
  const component = components.find((one) => wanted.has(one.name) || random.chance(5));
  if (!component) return;
  const isForced = random.chance(30);
  await people.act({
    word: isForced ? 'deploy.forced' : 'deploy',
    by: random.pick(['alice', 'bob', 'olga', 'olga', 'ci']),
    mayEnd: ['promotion.base_moved', 'deploy.not_in_predecessor'],
    work: async (tx, principal, { ids }): Promise<{ promotionId: PromotionId }> => {
      deployedComponent(place, component.name, []);
      const wish = { environment, component, isForced, reason: isForced ? 'urgent' : '' };
      return { promotionId: await deployArtifact(tx, { ids }, principal, wish) };
    },
  });
}
