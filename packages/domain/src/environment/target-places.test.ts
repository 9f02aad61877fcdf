/** Which places change hands between components. */
import { makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { doOverlap, findMovedTarget } from './target-places.ts';

const web = makeTarget({ name: 'web-1', directory: '/srv/shop' });

describe('findMovedTarget', () => {
  it.each([
    ['the same name for another component', makeTarget({ name: 'web-1', component: 'api', directory: '/srv/api' })],
    [
      'the same directory for another component',
      makeTarget({ name: 'api-1', component: 'api', directory: '/srv/shop' }),
    ],
    ['a directory within it', makeTarget({ name: 'api-1', component: 'api', directory: '/srv/shop/api' })],
    ['a directory around it', makeTarget({ name: 'api-1', component: 'api', directory: '/srv' })],
  ])('finds %s', (_what, target) => {
    expect(findMovedTarget([web], [target])).toBe(target);
  });

  it.each([
    ['the same target', web],
    ['another directory for the same component', makeTarget({ name: 'web-1', directory: '/srv/new' })],
    ['the same directory under another name', makeTarget({ name: 'web-2', directory: '/srv/shop' })],
    ['a place of its own', makeTarget({ name: 'api-1', component: 'api', directory: '/srv/shop-api' })],
  ])('leaves %s alone', (_what, target) => {
    expect(findMovedTarget([web], [target])).toBeNull();
  });
});

describe('doOverlap', () => {
  it('looks at whole names', () => {
    expect(doOverlap('/srv/shop', '/srv/shop/web')).toBe(true);
    expect(doOverlap('/srv/shop', '/srv/shop-2')).toBe(false);
  });
});
