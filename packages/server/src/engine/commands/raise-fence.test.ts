import {
  makeDefinition,
  makeMemoryStores,
  makePrincipal,
  makeRelease,
  makeSeededIds,
  makeStage,
  makeWholeEnvironment,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { raiseEnvironmentFence } from './raise-fence.ts';

const ADMIN = makePrincipal('root', 'admin@*');

describe('raising the fence of an environment', () => {
  it('is fence.busy while a promotion holds its lock, whose operations would be refused', async () => {
    const environment = makeWholeEnvironment('prod', makeRelease(3));
    const stage = makeStage({ definition: makeDefinition(), environment });
    const id = stage.create();
    stage.wait(1_000);
    stage.play(id, 'preflight');
    const { commands } = makeMemoryStores({
      state: stage.state,
      ids: makeSeededIds(3, () => stage.nowMs()),
      nowMs: () => stage.nowMs(),
      turn: () => Promise.resolve(),
    });
    const raise = (): Promise<unknown> =>
      commands.transact(null, async (tx) => {
        const body = await raiseEnvironmentFence(tx, ADMIN, { environment: 'prod', seen: [], reason: '' });
        return { status: 200, body };
      });
    await expect(raise()).rejects.toMatchObject({ code: 'fence.busy', details: { promotionId: id } });
    stage.play(id);
    expect(await raise()).toMatchObject({ body: { held: null, wasStopped: false } });
    expect(stage.of(id).environment.state).toBe('unknown');
  });
});
