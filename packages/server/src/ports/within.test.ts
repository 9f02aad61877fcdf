import { describe, expect, it } from 'vitest';
import { isWithin, isWithinAny } from './within.ts';

describe('isWithin', () => {
  it.each([
    ['/srv/web', '/srv/web', true],
    ['/srv/web/', '/srv/web', true],
    ['/srv/web/a/b', '/srv/web', true],
    ['/srv/web/..a', '/srv/web', true],
    ['/srv/web/a/../b', '/srv/web', true],
    ['/srv/web', '/', true],
    ['/srv/website', '/srv/web', false],
    ['/srv/web/../etc', '/srv/web', false],
    ['/srv', '/srv/web', false],
    ['/', '/srv/web', false],
    ['/etc', '/srv/web', false],
  ])('%s in %s: %s', (path, folder, expected) => {
    expect(isWithin(path, folder)).toBe(expected);
    expect(isWithinAny(path, ['/elsewhere', folder])).toBe(expected);
    expect(isWithinAny(path, [])).toBe(false);
  });
});
