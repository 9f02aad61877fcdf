import type { Answer } from '@stella/contract/client';
import { describe, expect, it } from 'vitest';
import { refuseOthers } from './refuse-others.ts';

type Promotion = Answer<'getPromotion'>;

const step = (name: 'deploy' | 'rollback', startedAt: string | null): Promotion['steps'][number] => ({
  step: name,
  state: 'succeeded',
  startedAt,
  endedAt: null,
  message: '',
});
const promotion = (kind: Promotion['kind'], ...steps: Promotion['steps']): Promotion =>
  // Only what is looked at.
  ({ id: 'prm_1', kind, steps }) as unknown as Promotion;

describe('refuseOthers', () => {
  it('lets rollbacks through, and what was rolled back by itself', () => {
    expect(() => refuseOthers(promotion('rollback', step('deploy', null)))).not.toThrow();
    expect(() => refuseOthers(promotion('promote', step('rollback', '2026-01-01T00:00:00Z')))).not.toThrow();
  });

  it('refuses others with the command that shows them', () => {
    const refused = () => refuseOthers(promotion('promote', step('deploy', '2026-01-01T00:00:00Z')));
    expect(refused).toThrow(expect.objectContaining({ code: 'rollback.none' }));
  });
});
