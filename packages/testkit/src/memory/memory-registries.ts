/** Declared registries of a command's transaction. */
import { isTerminal, registryHash } from '@stella/domain';
import type { CommandTransaction } from '@stella/server';
import type { MemorySession } from './memory-session.ts';
import { registryKey } from './memory-state.ts';

type RegistryMethods = Pick<
  CommandTransaction,
  'lockRegistries' | 'writeRegistry' | 'removeRegistry' | 'livePromotionsFrom'
>;

/** Promotions that an answer names. */
const LIVE_SHOWN_MAX = 10;

export function registryMethods(session: MemorySession, nowMs: number): RegistryMethods {
  return {
    lockRegistries: () =>
      session.statement('lockRegistries', async (tx) => {
        const hosts = [...tx.rows(tx.state.registries)].map(({ definition }) => definition.host).sort();
        for (const host of hosts) await session.lock(registryKey(host));
        return hosts.flatMap((host) => tx.get(tx.state.registries, host) ?? []);
      }),
    writeRegistry: (definition) =>
      session.statement('writeRegistry', async (tx) => {
        await session.lock(registryKey(definition.host));
        const version = (tx.get(tx.state.registries, definition.host)?.version ?? 0) + 1;
        const record = { definition, version, hash: registryHash(definition), appliedAtMs: nowMs };
        tx.put(tx.state.registries, definition.host, record);
        return record;
      }),
    removeRegistry: (host) =>
      session.statement('removeRegistry', async (tx) => {
        await session.lock(registryKey(host));
        tx.remove(tx.state.registries, host);
      }),
    livePromotionsFrom: (host) =>
      session.statement('livePromotionsFrom', (tx) =>
        [...tx.rows(tx.state.promotions)]
          .filter(({ promotion: { status, releaseId } }) => {
            const components = tx.get(tx.state.releases, releaseId)?.components ?? [];
            return (
              !isTerminal(status) &&
              components.some(({ source }) => source.kind === 'registry' && source.registry === host)
            );
          })
          .map(({ promotion }) => promotion.id)
          .sort()
          .slice(0, LIVE_SHOWN_MAX),
      ),
  };
}
