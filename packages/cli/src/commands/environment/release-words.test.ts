/** The few words for what an environment runs. */
import { describe, expect, it } from 'vitest';
import { releaseWords } from './release-words.ts';

const row = (component: string, name: string | null) => ({
  component,
  release: name === null ? null : { id: `rel_${name}`, name },
  releasedAt: null,
  state: 'whole' as const,
});

describe('releaseWords', () => {
  it.each([
    ['one release for all', { id: 'rel_2', name: 'shop-2' }, [row('api', 'shop-2'), row('web', 'shop-2')], 'shop-2'],
    ['several', null, [row('api', 'shop-1'), row('web', 'shop-2')], '2 releases'],
    ['some components only', null, [row('api', null), row('web', 'shop-2')], 'shop-2 (web)'],
    ['nothing yet', null, [], '-'],
    ['nothing verified', null, [row('web', null)], '-'],
  ])('says %s', (_what, release, components, words) => {
    expect(releaseWords({ release, components })).toBe(words);
  });
});
