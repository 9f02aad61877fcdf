import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makePrincipal } from '@stella/testkit';
import {
  type Action,
  ACTIONS,
  authorize,
  isAllowed,
  matchesPattern,
  parseRoleBinding,
  ROLES,
  type Role,
} from './authorize.ts';

/** The whole policy again, as a person would write it on paper: who may do what beside admins. */
const PAPER: Readonly<Record<Action, string>> = {
  'environment.read': 'viewer releaser approver operator',
  'environment.apply': '',
  'release.read': 'viewer releaser approver operator',
  'release.create': 'releaser',
  'promotion.read': 'viewer releaser approver operator',
  'promotion.create': 'releaser',
  'promotion.rollback': 'releaser operator',
  'promotion.deploy': 'releaser operator',
  'promotion.deploy_forced': 'operator',
  'promotion.approve': 'approver',
  'promotion.reject': 'approver',
  'promotion.cancel': 'releaser operator',
  'promotion.retry': 'releaser operator',
  'promotion.prioritize': 'operator',
  'gate.skip': 'operator',
  'quota.request': 'releaser approver operator',
  'lock.read': 'viewer releaser approver operator',
  'lock.release': 'operator',
  'fence.raise': '',
  'environment.freeze': 'operator',
  'connectivity.probe': 'releaser approver operator',
  'notification.read': 'viewer releaser approver operator',
  'notification.apply': '',
  'notification.address': 'operator',
  'notification.test': 'operator',
  'notification.retry': 'operator',
  'registry.read': 'viewer releaser approver operator',
  'registry.apply': '',
  'setting.read': 'viewer releaser approver operator',
  'setting.write': 'operator',
  'orchestrator.read': 'viewer releaser approver operator',
  'person.create': '',
  'person.read': '',
  'token.mint': 'viewer releaser approver operator',
  'token.read': 'viewer releaser approver operator',
  'token.revoke': 'viewer releaser approver operator',
  'identity.read': 'viewer releaser approver operator',
};

const everyCase = ACTIONS.flatMap((action) => ROLES.map((role): [Action, Role] => [action, role]));

describe('isAllowed', () => {
  it.each(everyCase)('%s by %s', (action, role) => {
    const expected = role === 'admin' || PAPER[action].split(' ').includes(role);
    expect(isAllowed([{ role, pattern: 'prod' }], action, 'prod')).toBe(expected);
    expect(isAllowed([{ role, pattern: '*' }], action, 'prod')).toBe(expected);
    expect(isAllowed([{ role, pattern: 'dev' }], action, 'prod')).toBe(false);
    // Without an environment, the role anywhere is enough.
    expect(isAllowed([{ role, pattern: 'dev' }], action, null)).toBe(expected);
  });

  it('knows every action', () => {
    expect(Object.keys(PAPER).sort()).toEqual([...ACTIONS].sort());
  });

  it('denies by default: nobody without a binding may do anything', () => {
    for (const action of ACTIONS) {
      expect(isAllowed([], action, 'prod')).toBe(false);
      expect(isAllowed([], action, null)).toBe(false);
    }
  });

  it.each(['promotion.delete', '', 'constructor', 'toString', '__proto__'])(
    'denies what is no action, %j, even to an admin',
    (word) => {
      // As a mistake in a route would pass it.
      const action = word as Action;
      const admin = makePrincipal('root', 'admin@*');
      expect(isAllowed(admin.bindings, action, null)).toBe(false);
      const ask = (): void => authorize(admin, action, { environment: null, name: 'it' });
      expect(ask).toThrow(expect.objectContaining({ code: 'auth.forbidden' }));
    },
  );

  it('never takes a right away when a binding is added', () => {
    const binding = fc.record({ role: fc.constantFrom(...ROLES), pattern: fc.constantFrom('*', 'prod', 'dev', 'p*') });
    fc.assert(
      fc.property(fc.array(binding), binding, fc.constantFrom(...ACTIONS), (bindings, more, action) => {
        const before = isAllowed(bindings, action, 'prod');
        expect(!before || isAllowed([...bindings, more], action, 'prod')).toBe(true);
      }),
    );
  });
});

describe('authorize', () => {
  it('names the role that would do', () => {
    const ask = (): void =>
      authorize(makePrincipal('dave', 'viewer@*'), 'promotion.approve', {
        environment: 'prod',
        name: 'promotion prm_1',
      });
    expect(ask).toThrow('dave may not promotion.approve on promotion prm_1; it needs the role approver@prod');
  });
});

describe('matchesPattern', () => {
  it.each([
    ['prod', 'prod', true],
    ['prod', 'prod-eu', false],
    ['prod', 'preprod', false],
    ['prod-*', 'prod-eu', true],
    ['prod-*', 'prod-', true],
    ['prod-*', 'prod', false],
    ['*-eu', 'prod-eu', true],
    ['*', '', true],
    ['**', 'x', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['p.od', 'prod', false],
    ['*p*', 'prod', true],
  ])('%s against %s: %s', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });

  it('agrees with the same pattern as a regular expression', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*]{0,8}$/), fc.stringMatching(/^[ab]{0,10}$/), (pattern, name) => {
        const expression = new RegExp(`^${pattern.replaceAll(/\*+/g, '.*')}$`);
        expect(matchesPattern(pattern, name)).toBe(expression.test(name));
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes no time for a pattern with many stars', () => {
    // A backtracking matcher tries some 10^15 ways to split this name.
    expect(matchesPattern(`${'a*'.repeat(30)}b`, 'a'.repeat(63))).toBe(false);
  });
});

describe('parseRoleBinding', () => {
  it('reads what an operator types', () => {
    expect(parseRoleBinding('approver@prod-*')).toEqual({ role: 'approver', pattern: 'prod-*' });
  });

  it.each(['approver', 'approver@', '@prod', 'king@prod', 'viewer@prod@eu', 'viewer@Prod', 'viewer@a b', 'viewer@.*'])(
    'refuses %j',
    (text) => {
      expect(() => parseRoleBinding(text)).toThrow(expect.objectContaining({ code: 'input.invalid' }));
    },
  );
});
