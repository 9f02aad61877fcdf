import type { Answer } from '@stella/contract/client';
import { describe, expect, it } from 'vitest';
import { describePromotion } from './promotion-view.ts';

type Promotion = Answer<'getPromotion'>;

const AT = '2026-01-01T00:00:00.000Z';
const RELEASE = { id: 'rel_1', name: 'shop-1' };

function promotion(more: Partial<Promotion>): Promotion {
  const nothing = { stop: null, setAside: null, ending: null, endedAt: null, stallsAt: null, retryOf: null };
  const empty = { gates: [], debts: [], targets: [], components: [], possible: [], steps: [] };
  const times = { now: AT, createdAt: AT, lastProgressAt: AT };
  const what = { id: 'prm_1', release: RELEASE, environment: 'prod', base: null, kind: 'promote' };
  const where = { status: 'in_progress', step: 'precheck', requestedBy: { name: 'olga' } };
  // Only what is shown.
  return { ...nothing, ...empty, ...times, ...what, ...where, ...more } as unknown as Promotion;
}

describe('describePromotion', () => {
  it('folds what is waited for, however many targets say something', () => {
    const message = Array.from({ length: 20 }, (_, index) => `web-${index}: its disk is full`).join('; ');
    const steps = [{ step: 'precheck', state: 'waiting', startedAt: AT, endedAt: null, message }] as const;
    const lines = describePromotion(promotion({ steps: [...steps] })).split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain(`Waiting ${message}`);
  });

  it('says what a rollback takes away, unless that is what it brings back', () => {
    const back = { kind: 'rollback', release: RELEASE } as const;
    expect(describePromotion(promotion({ ...back, base: { id: 'rel_2', name: 'shop-2' } }))).toMatch(
      /^Kind +rollback: takes shop-2 away$/m,
    );
    // The environment is not whole.
    expect(describePromotion(promotion({ ...back, base: RELEASE }))).toMatch(/^Kind +rollback$/m);
  });
});
