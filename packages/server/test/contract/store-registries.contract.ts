/** What every store must do with declared registries: versions, rights, bounds, and none goes while it is needed. */
import type { RegistryDefinition } from '@stella/domain';
import { makeApprovalGate, makeDefinition } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import { type AppliedRegistry, applyRegistries } from '../../src/engine/commands/apply-registries.ts';
import { create, inTransaction, type Place, principalOf, refusal, setUp } from './store-play.ts';
import type { StoreWorld } from './store-world.ts';

const SIGNED = makeDefinition({ name: 'signed', gates: [makeApprovalGate({ name: 'sign', count: 2 })] });

function registryOf(host: string, username = 'ci'): RegistryDefinition {
  const login = { kind: 'password', username, password: 'env:STELLA_SECRET_REGISTRY' } as const;
  return { host, login, ca: null, isPlainHttp: false };
}

interface Wish {
  readonly who?: 'olga' | 'peter';
  readonly isPruning?: boolean;
}

function apply(
  place: Place,
  registries: readonly RegistryDefinition[],
  { who = 'olga', isPruning = false }: Wish = {},
): Promise<readonly AppliedRegistry[]> {
  const principal = principalOf(place, who);
  return inTransaction(place.world, (tx) => applyRegistries(tx, principal, { registries, isPruning }));
}

export function describeRegistriesOfStore(giveWorld: () => StoreWorld): void {
  describe('declared registries', () => {
    it('are written with versions, and go when they are pruned', async () => {
      const place = await setUp(giveWorld(), [SIGNED]);
      await apply(place, [registryOf('b.example'), registryOf('a.example')]);
      expect(await apply(place, [registryOf('a.example', 'cd'), registryOf('b.example')])).toMatchObject([
        { registry: 'a.example', change: 'changed', version: 2, differences: ['login.username: "ci" → "cd"'] },
        { registry: 'b.example', change: 'unchanged', version: 1 },
      ]);
      const kept = await inTransaction(place.world, (tx) => tx.lockRegistries());
      expect(kept).toMatchObject([
        { definition: registryOf('a.example', 'cd'), version: 2, appliedAtMs: place.world.control.nowMs() },
        { definition: registryOf('b.example'), version: 1 },
      ]);
      expect(await apply(place, [registryOf('b.example')], { isPruning: true })).toMatchObject([
        { registry: 'b.example', change: 'unchanged' },
        { registry: 'a.example', change: 'removed', version: null },
      ]);
      expect(await inTransaction(place.world, (tx) => tx.lockRegistries())).toHaveLength(1);
    });

    it('are for admins of all environments, and not without number', async () => {
      const place = await setUp(giveWorld(), [SIGNED]);
      expect(await refusal(apply(place, [registryOf('a.example')], { who: 'peter' }))).toBe('auth.forbidden');
      const narrow = { ...principalOf(place, 'olga'), bindings: [{ role: 'admin' as const, pattern: 'signed' }] };
      const order = { registries: [registryOf('a.example')], isPruning: false };
      expect(await refusal(inTransaction(place.world, (tx) => applyRegistries(tx, narrow, order)))).toBe(
        'auth.forbidden',
      );
      const many = Array.from({ length: 51 }, (_, index) => registryOf(`r${index}.example`));
      expect(await refusal(apply(place, many))).toBe('apply.registries');
    });

    it('stay while a live promotion is of artifacts that are there', async () => {
      const place = await setUp(giveWorld(), [SIGNED]);
      const promotionId = await create(place, 'signed', 1);
      const host = 'registry.example:5000';
      await apply(place, [registryOf(host), registryOf('a.example')]);
      expect(await inTransaction(place.world, (tx) => tx.livePromotionsFrom(host))).toEqual([promotionId]);
      expect(await inTransaction(place.world, (tx) => tx.livePromotionsFrom('a.example'))).toEqual([]);
      expect(await refusal(apply(place, [registryOf('a.example')], { isPruning: true }))).toBe('apply.in_use');
      expect(await apply(place, [registryOf(host)], { isPruning: true })).toMatchObject([
        { change: 'unchanged' },
        { registry: 'a.example', change: 'removed' },
      ]);
    });
  });
}
