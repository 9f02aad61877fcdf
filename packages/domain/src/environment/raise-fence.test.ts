import { makeWholeEnvironment, makeRelease } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { highestFence, raiseFence } from './raise-fence.ts';

const at = (epoch: number, n: number) => ({ fence: { epoch, n }, operation: null });

describe('the highest fence of several targets', () => {
  it('is by epoch first; none when none of them ever saw one', () => {
    const seen = [at(1, 900), at(2, 3), at(2, 1), null].map((holds, index) => ({ target: `web-${index}`, holds }));
    expect(highestFence(seen)).toEqual({ epoch: 2, n: 3 });
    expect(highestFence([{ target: 'web', holds: null }])).toBeNull();
  });

  it('is fence.unreadable when no database of Stella can have drawn it', () => {
    const seen = [{ target: 'web', holds: at(999_999_999_999, 1) }];
    expect(() => highestFence(seen)).toThrow(expect.objectContaining({ code: 'fence.unreadable' }));
  });
});

describe('raising a fence', () => {
  it('ends the stop, leaves open what runs there, and tells what the target held', () => {
    const holds = at(1, 900);
    const before = {
      ...makeWholeEnvironment('prod', makeRelease(3)),
      stop: { target: 'web', holds, lacks: 'fence', atMs: 1 } as const,
    };
    const order = { fence: { epoch: 2, n: 7 }, held: holds.fence, reason: 'restored last night' };
    const { environment, event } = raiseFence(before, order, { actor: { kind: 'system', name: 'test' }, nowMs: 5 });
    const components = before.components.map((one) => ({ ...one, state: 'unknown' }));
    const doubted = { state: 'unknown', components };
    expect(environment).toEqual({ ...before, ...doubted, stop: null });
    expect(event).toMatchObject({
      type: 'fence.raised',
      subject: 'prod',
      data: { fence: '2.7', held: '1.900', reason: 'restored last night', state: 'unknown' },
    });
  });
});
