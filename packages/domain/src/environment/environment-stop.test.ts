import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareFences, type Fence } from '../locks/fence.ts';
import { describeStop, type KnownFences, missingOf, type TargetHolding } from './environment-stop.ts';

const at = (n: number, epoch = 1): Fence => ({ epoch, n });
const holding = (fence: Fence, operation: TargetHolding['operation'] = null): TargetHolding => ({ fence, operation });
const known = (patch: Partial<KnownFences> = {}): KnownFences => ({
  drawn: at(100),
  floor: null,
  hasAttempt: (id, fence) => id === 'mine' && compareFences(fence, at(90)) === 0,
  ...patch,
});

describe('what a target holds', () => {
  it('is known when it is an own operation with its own fence, or a seal that was drawn here', () => {
    expect(missingOf(holding(at(90), { fence: at(90), operationId: 'mine' }), known())).toBeNull();
    expect(missingOf(holding(at(100)), known())).toBeNull();
  });

  it('lacks the operation when the database lost it, also when it has given the same id again with another fence', () => {
    expect(missingOf(holding(at(95), { fence: at(95), operationId: 'lost' }), known())).toBe('operation');
    expect(missingOf(holding(at(91), { fence: at(91), operationId: 'mine' }), known())).toBe('operation');
    // After a fail-over that was noticed, every new fence is above; the operation is lost all the same.
    const later = known({ drawn: at(3, 2) });
    expect(missingOf(holding(at(95), { fence: at(95), operationId: 'lost' }), later)).toBe('operation');
  });

  it('lacks the fence when it is newer than any drawn here', () => {
    expect(missingOf(holding(at(101)), known())).toBe('fence');
    expect(missingOf(holding(at(1, 2)), known())).toBe('fence');
  });

  it('is known up to the fence that an admin raised, and only up to it', () => {
    const raised = known({ floor: at(5, 2), drawn: at(5, 2) });
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), fc.boolean(), (epoch, n, isOperation) => {
        const fence = at(n, epoch);
        const given = holding(fence, isOperation ? { fence, operationId: 'lost' } : null);
        const expected = compareFences(fence, at(5, 2)) <= 0;
        expect(missingOf(given, raised) === null).toBe(expected);
      }),
    );
  });

  it('is told with the command that cures it', () => {
    const holds = holding(at(95), { fence: at(95), operationId: 'lost' });
    expect(describeStop('prod', { target: 'web-1', holds, lacks: 'operation' })).toBe(
      'prod is stopped (fence.behind): target web-1 holds operation lost with fence 1.95, which this database does not ' +
        'know; look at what runs there, then: stella orch fence raise --env prod',
    );
    expect(describeStop('prod', { target: 'web-1', holds, lacks: 'fence' })).toContain('newer than any');
  });
});
