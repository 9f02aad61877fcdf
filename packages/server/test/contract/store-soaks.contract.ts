/** What every store must do for soaks: what looks found is read by whoever soaks there, who looks again as soon as it changes. */
import { digestOf, type PromotionId, type TargetLookAt } from '@stella/domain';
import { makeDefinition, makeHttpGate, makeSoakGate } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import {
  claimOne,
  create,
  type Hired,
  hire,
  type Place,
  play,
  refusal,
  set,
  setUp,
  sleepsMs,
  snapshotOf,
  tick,
  whileHeld,
} from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const EVERY_MS = 60_000;
const SOAK_MS = 3_600_000;
const OTHER = digestOf('other');
/** A process that lives has given by then what it owes. */
const OWED_MS = 1_000;

const soakIn = (name: string, before: string) =>
  makeDefinition({
    name,
    promotesFrom: [before],
    gates: [makeSoakGate({ environments: [before], durationMs: SOAK_MS, deadlineMs: 2 * SOAK_MS })],
  });
const DEFINITIONS = [
  makeDefinition({ name: 'dev' }),
  makeDefinition({ name: 'lab' }),
  soakIn('prod', 'dev'),
  soakIn('hall', 'lab'),
  makeDefinition({ name: 'gated', promotesFrom: ['dev'], gates: [makeHttpGate()] }),
];

interface Soaking {
  readonly place: Place;
  readonly worker: Hired;
  /** Soaks in `dev`; another one, in `hall`, in `lab`. */
  readonly id: PromotionId;
  readonly elsewhere: PromotionId;
}

type Sight = 'other' | 'ill' | 'sound' | 'unseen';

export function describeSoaksOfStore(giveWorld: () => StoreWorld): void {
  describe('a soak', () => {
    it('is broken by a look and begins anew by a later one, never at its old time, and is told of both at once', async () => {
      const soaking = await soak(giveWorld());
      const { place, id, elsewhere } = soaking;
      const { world } = place;
      const oldDueMs = (await runOf(soaking)).dueAtMs ?? 0;
      await look(soaking, 'sound');
      expect(await sleepsMs(place, id)).toBeGreaterThan(0);
      await look(soaking, 'other');
      const sinceMs = world.control.nowMs();
      expect([await sleepsMs(place, id), (await sleepsMs(place, elsewhere)) > 0]).toEqual([0, true]);
      const broken = { environment: 'dev', target: 'web-1', components: ['web'], sinceMs, digest: OTHER };
      const [dev] = (await snapshotOf(world, id)).predecessors;
      const promised = place.releases[0]?.components[0]?.digest;
      expect(dev?.breaks).toEqual([{ ...broken, untilMs: null, seenAtMs: sinceMs, promised }]);
      expect((await snapshotOf(world, elsewhere)).predecessors[0]?.breaks).toEqual([]);
      const message = (await wake(soaking)).message;
      expect(message).toMatch(/^the soak in dev was broken: target web-1 runs /);
      await look(soaking, 'other');
      await wakeIfDue(soaking);
      await look(soaking, 'sound');
      const soundMs = world.control.nowMs();
      expect(await sleepsMs(place, id)).toBe(0);
      expect(await wake(soaking)).toMatchObject({ state: 'waiting', dueAtMs: soundMs + SOAK_MS });
      await world.control.pass(oldDueMs - soundMs);
      expect(await wakeIfDue(soaking)).toMatchObject({ state: 'waiting' });
      await world.control.pass(soundMs + SOAK_MS - oldDueMs);
      expect(await wake(soaking)).toMatchObject({ state: 'passed' });
      expect((await world.control.dump())['owedWakes']).toEqual([]);
    });

    it('is broken by a target that is ill, and by nothing that could not be seen', async () => {
      const soaking = await soak(giveWorld());
      await look(soaking, 'unseen');
      expect(await sleepsMs(soaking.place, soaking.id)).toBeGreaterThan(0);
      await look(soaking, 'ill');
      expect((await wake(soaking)).message).toContain('target web-1 is not healthy');
      await look(soaking, 'unseen');
      expect((await wakeIfDue(soaking)).message).toContain('target web-1 is not healthy');
      await set(soaking.place, 'observe.mode', 1);
      await soaking.place.world.control.pass(2 * SOAK_MS - 20 * EVERY_MS);
      expect(await wake(soaking)).toMatchObject({ state: 'waiting', dueAtMs: null });
    });

    it('begins anew with a release that is brought there again, which is refused while nothing is broken', async () => {
      const soaking = await soak(giveWorld());
      const { place, worker, id } = soaking;
      expect(await refusal(create(place, 'dev', 1))).toBe('promotion.same_as_base');
      await look(soaking, 'other');
      await wake(soaking);
      await place.world.control.pass(1);
      await create(place, 'dev', 1);
      const done = await play(place.world, await claimOne(place.world, worker.id));
      expect(done.promotion.status).toBe('completed');
      const dueAtMs = (done.promotion.endedAtMs ?? 0) + SOAK_MS;
      await place.world.control.pass(SOAK_RECHECK_MS);
      expect(await wake(soaking)).toMatchObject({ dueAtMs });
      await look(soaking, 'sound');
      expect(await wakeIfDue(soaking)).toMatchObject({ dueAtMs });
      const [known] = (await snapshotOf(place.world, id)).predecessors[0]?.breaks ?? [];
      expect(known?.untilMs).toBe(known?.sinceMs);
    });

    it('that was looked at just then is told of its break when that has ended, whoever died meanwhile', async () => {
      const soaking = await soak(giveWorld());
      const { place, worker, id } = soaking;
      const { world } = place;
      const record = await found(soaking, 'other');
      await whileHeld(place, id, async () => {
        world.control.loseNextCommit();
        expect(await refusal(record())).toBe('database.unavailable');
        await world.control.pass(OWED_MS + 1);
        await world.engine.buryDeadWorkers(worker.id);
      });
      expect(await sleepsMs(place, id)).toBeGreaterThan(0);
      await world.engine.buryDeadWorkers(worker.id);
      expect(await sleepsMs(place, id)).toBe(0);
      expect((await world.control.dump())['owedWakes']).toEqual([]);
    });
  });
}

/** Whoever waits for a soak that is broken looks again after this. */
const SOAK_RECHECK_MS = 30_000;

/** One that asks a gate is there, too, whom no break concerns. */
async function soak(world: StoreWorld): Promise<Soaking> {
  const place = await setUp(world, DEFINITIONS);
  await set(place, 'observe.every', EVERY_MS);
  const worker = await hire(world);
  const ids: PromotionId[] = [];
  for (const environment of ['dev', 'lab', 'prod', 'hall']) {
    const id = await create(place, environment, 1);
    ids.push(id);
    await play(world, await claimOne(world, worker.id));
  }
  await create(place, 'gated', 1);
  await play(world, await claimOne(world, worker.id), ({ promotion }) => promotion.step === 'evaluate_gates');
  const [, , id, elsewhere] = ids;
  if (!id || !elsewhere) throw new Error('nobody soaks');
  return { place, worker, id, elsewhere };
}

/** At `dev`, as the next round there. */
async function look(soaking: Soaking, sight: Sight): Promise<void> {
  const record = await found(soaking, sight);
  await record();
}

/** Not recorded yet. */
async function found({ place }: Soaking, sight: Sight): Promise<() => Promise<unknown>> {
  const { world, releases } = place;
  await world.control.pass(2 * EVERY_MS);
  const round = (await world.observations.takeDueRounds(10)).find(({ environment }) => environment === 'dev');
  if (!round) throw new Error('dev is not due');
  const digest = sight === 'other' ? OTHER : (releases[0]?.components[0]?.digest ?? null);
  const seen: TargetLookAt['sight'] =
    sight === 'unseen'
      ? { outcome: 'unseen', code: 'target.unreachable', message: 'no way' }
      : { outcome: 'seen', digest, isHealthy: sight !== 'ill', message: '' };
  const looks = round.targets.map((target) => ({ target, sight: seen }));
  return () => world.observations.recordRound(round, looks, { by: 'host-1', jitter: 0.5 });
}

type Run = Awaited<ReturnType<typeof snapshotOf>>['gateRuns'][number];

async function runOf({ place, id }: Soaking): Promise<Run> {
  const [run] = (await snapshotOf(place.world, id)).gateRuns;
  if (!run) throw new Error('it has no gate');
  return run;
}

/** The worker looks at it, which is due. */
async function wake(soaking: Soaking): Promise<Run> {
  const { place, worker, id } = soaking;
  const { claimed } = await place.world.engine.takeDueWork(worker.id, 10);
  const claim = claimed.find(({ promotionId }) => promotionId === id);
  if (!claim) throw new Error('it is not due');
  await tick(place.world, claim);
  return runOf(soaking);
}

async function wakeIfDue(soaking: Soaking): Promise<Run> {
  return (await sleepsMs(soaking.place, soaking.id)) === 0 ? wake(soaking) : runOf(soaking);
}
