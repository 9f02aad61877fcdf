import { makeSeededIds } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimDelivery,
  type Delivery,
  DELIVERY_AGE_MAX_MS,
  DELIVERY_ATTEMPTS_MAX,
  reopenDelivery,
  settleDelivery,
} from './delivery.ts';
import { testNotice } from './notice.ts';

const ids = makeSeededIds(1);
const TRANSPORT = { kind: 'webhook', url: 'http://a', secret: 'file:/a', timeoutMs: 10_000 } as const;
const FRESH: Delivery = {
  id: ids.next('ntf'),
  channel: 'room',
  promotionId: ids.next('prm'),
  environment: 'prod',
  notice: testNotice('room', { kind: 'system', name: 'test' }, 0),
  state: 'pending',
  attemptCount: 0,
  createdAtMs: 0,
  openedAtMs: 0,
  dueAtMs: 0,
  lastAttemptAtMs: null,
  message: '',
  endedAtMs: null,
};

describe('a delivery', () => {
  it('that always fails is given up within its attempts and its age, with pauses that never shrink below half', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 60, maxLength: 60 }), (jitters) => {
        let nowMs = 0;
        let delivery = FRESH;
        for (const jitter of jitters) {
          if (delivery.state === 'dead') break;
          delivery = claimDelivery(delivery, TRANSPORT, nowMs);
          expect(delivery.dueAtMs).toBeGreaterThan(nowMs + TRANSPORT.timeoutMs);
          delivery = settleDelivery(delivery, { outcome: 'failed', message: 'no' }, { nowMs, jitter });
          const pauseMs = (delivery.dueAtMs ?? nowMs + 5_000) - nowMs;
          expect(pauseMs).toBeGreaterThanOrEqual(2_500);
          expect(pauseMs).toBeLessThanOrEqual(3_600_000);
          nowMs += pauseMs;
        }
        expect(delivery.state).toBe('dead');
        expect(delivery.attemptCount).toBeLessThanOrEqual(DELIVERY_ATTEMPTS_MAX);
        expect(delivery.endedAtMs).toBeLessThanOrEqual(DELIVERY_AGE_MAX_MS);
      }),
    );
  });

  it('begins anew when a person says so', () => {
    const dead: Delivery = { ...FRESH, state: 'dead', attemptCount: 40, dueAtMs: null, endedAtMs: 5 };
    expect(reopenDelivery(dead, 9)).toMatchObject({
      state: 'pending',
      attemptCount: 0,
      openedAtMs: 9,
      dueAtMs: 9,
      endedAtMs: null,
    });
  });
});
