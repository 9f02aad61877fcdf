/** What the rules of rights read out of moments: the rest is proven by corruptions of a stored past. */
import { makeDefinition, makeEmptyEnvironment, makeStage, toStoreState } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { violationsOf } from './violations-of.ts';

describe('S8.base', () => {
  it.each(['exclusive', 'per_component'] as const)(
    'allows one that was handed the lock in the millisecond in which its base completed (%s)',
    (concurrency) => {
      const environment = { ...makeEmptyEnvironment('prod'), concurrency };
      const stage = makeStage({ definition: makeDefinition({ concurrency }), environment });
      stage.play(stage.create({ release: 4 }));
      stage.wait(1);
      stage.play(stage.create({ release: 5 }));
      const next = stage.play(stage.create({ release: 6 }));
      expect(next.promotion).toMatchObject({ status: 'completed', endedAtMs: stage.nowMs() });
      const broken = violationsOf(toStoreState(stage.state), stage.nowMs());
      expect(broken.filter(({ rule }) => rule === 'S8.base')).toEqual([]);
    },
  );
});
