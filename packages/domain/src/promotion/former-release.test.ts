import { makeEmptyEnvironment, makeRelease, makeWholeEnvironment } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { AppError } from '../errors/app-error.ts';
import { type Completion, formerReleaseOf } from './former-release.ts';
import type { PromotionKind } from './status.ts';

/** `[3, 'promote']` → a completion of release 3; given oldest first. */
function historyOf(...steps: readonly (readonly [number, PromotionKind?])[]): Completion[] {
  return steps.map(([n, kind = 'promote']) => ({ releaseId: makeRelease(n).id, kind })).reverse();
}

function former(runs: number, history: readonly Completion[]): string {
  try {
    return formerReleaseOf(makeWholeEnvironment('prod', makeRelease(runs)), history);
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

describe('formerReleaseOf', () => {
  it('is the release that completed before the one that runs, however often that was deployed', () => {
    expect(former(3, historyOf([1], [2], [3]))).toBe(makeRelease(2).id);
    expect(former(3, historyOf([1], [2], [3], [3]))).toBe(makeRelease(2).id);
  });

  it('goes one further with each rollback, and never forth to what a rollback took away', () => {
    expect(former(2, historyOf([1], [2], [3], [2, 'rollback']))).toBe(makeRelease(1).id);
    expect(former(4, historyOf([1], [2], [3], [2, 'rollback'], [4]))).toBe(makeRelease(2).id);
  });

  it('is what was verified last while some target runs something else', () => {
    const mixed = { ...makeWholeEnvironment('prod', makeRelease(2)), state: 'mixed' as const };
    expect(formerReleaseOf(mixed, historyOf([1], [2]))).toBe(makeRelease(2).id);
  });

  it('says that there is nothing before the first, or that it cannot choose between several', () => {
    expect(former(1, historyOf([1]))).toBe('rollback.nothing_before');
    expect(() => formerReleaseOf(makeEmptyEnvironment('prod'), [])).toThrow('nothing was ever verified there');
    const whole = makeWholeEnvironment('prod', makeRelease(2, ['api', 'web']));
    const [api, web] = whole.components;
    if (!api || !web) throw new Error('two components');
    const several = { ...whole, releaseId: null, components: [api, { ...web, releaseId: makeRelease(3).id }] };
    expect(() => formerReleaseOf(several, [])).toThrow(expect.objectContaining({ code: 'rollback.which' }));
  });
});
