import { makeRelease } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { componentDifferences, describeBaseChange } from './component-differences.ts';
import type { Release } from './release.ts';

function release(number: number, names: readonly string[]): Release {
  const made = makeRelease(number);
  const [component] = made.components;
  if (!component) throw new Error('it has a component');
  return { ...made, components: names.map((name) => ({ ...component, name })) };
}

describe('what differs between two releases', () => {
  it('is by component: changed, added and removed ones, in order of name', () => {
    const before = release(3, ['web', 'api']);
    const after = release(4, ['web', 'worker']);
    const [old, young] = [before.components[0]?.digest, after.components[0]?.digest];
    expect(componentDifferences(before, after)).toEqual([
      { component: 'api', from: old, to: null },
      { component: 'web', from: old, to: young },
      { component: 'worker', from: null, to: young },
    ]);
    expect(componentDifferences(before, before)).toEqual([]);
  });

  it('is told in one line that stays short', () => {
    const many = release(4, ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(describeBaseChange(null, many)).toMatch(
      /^the base changed from nothing to shop-4: a none → [0-9a-f]{12}, .*, and 2 more$/,
    );
    expect(describeBaseChange(many, many)).toContain('no component differs');
  });
});
