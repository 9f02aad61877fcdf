/** What every store must do with probes: the newest of each subject is kept, with the database's time. */
import { type FreshProbe, makeFreshProbe, type ProbeSubjectKind } from '@stella/domain';
import { makeDefinition } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { inTransaction, setUp } from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

function probeOf(name: string, detail: string, kind: ProbeSubjectKind = 'target', environment = 'prod'): FreshProbe {
  return makeFreshProbe({ kind, environment, name }, [
    { stage: 'path', outcome: 'ok', durationMs: 3, code: null, detail },
  ]);
}

export function describeProbeStore(giveWorld: () => StoreWorld): void {
  describe('probes', () => {
    const environments = [makeDefinition({ name: 'prod' }), makeDefinition({ name: 'qa' })];

    it('keep the newest report of each subject, at the time of the database', async () => {
      const world = giveWorld();
      await setUp(world, environments);
      await world.probes.recordProbes([probeOf('web', 'first'), probeOf('web', 'as a gate', 'gate')]);
      await world.control.pass(5_000);
      const kept = await world.probes.recordProbes([probeOf('web', 'earlier'), probeOf('web', 'second')]);
      const newest = { ...probeOf('web', 'second'), atMs: world.control.nowMs() };
      expect(kept).toEqual([newest]);
      const asGate = { ...probeOf('web', 'as a gate', 'gate'), atMs: world.control.nowMs() - 5_000 };
      expect(await world.probes.listProbes('prod')).toEqual([asGate, newest]);
    });

    it('are listed by environment, kind and name, of one environment or of all', async () => {
      const world = giveWorld();
      await setUp(world, environments);
      const all = [
        probeOf('api', '', 'gate'),
        probeOf('db', '', 'target'),
        probeOf('web', '', 'target'),
        probeOf('web', '', 'target', 'qa'),
      ];
      await world.probes.recordProbes(all.toReversed());
      const names = async (environment: string | null): Promise<readonly string[]> =>
        (await world.probes.listProbes(environment)).map(({ subject }) => `${subject.environment}/${subject.name}`);
      expect(await names(null)).toEqual(['prod/api', 'prod/db', 'prod/web', 'qa/web']);
      expect(await names('qa')).toEqual(['qa/web']);
      expect(await world.probes.recordProbes([])).toEqual([]);
    });

    it('of environments that are not there are dropped, and go when an environment goes', async () => {
      const world = giveWorld();
      await setUp(world, environments);
      const kept = await world.probes.recordProbes([probeOf('web', ''), probeOf('web', '', 'target', 'nowhere')]);
      expect(kept.map(({ subject }) => subject.environment)).toEqual(['prod']);
      await inTransaction(world, async (tx) => ({ closed: await tx.removeEnvironment('prod') }));
      expect(await world.probes.listProbes(null)).toEqual([]);
    });
  });
}
