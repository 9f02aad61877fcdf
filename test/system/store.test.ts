/** The store contract on the oldest PostgreSQL that is supported, Debian's. */
import { hasDebianPostgres, startDebianPostgres } from '@stella/testkit';
import { describe, it } from 'vitest';
import { openPostgresStoreWorld } from '../../packages/server/test/contract/postgres-store-world.ts';
import { describeStoreContract } from '../../packages/server/test/contract/store.contract.ts';

if (hasDebianPostgres()) {
  describeStoreContract('PostgreSQL 15', async () => {
    const postgres = await startDebianPostgres();
    const world = await openPostgresStoreWorld({
      owner: { kind: 'url', url: postgres.url('stella_owner') },
      app: { kind: 'url', url: postgres.url('stella_app') },
      appRole: 'stella_app',
    });
    return {
      ...world,
      close: async () => {
        await world.close();
        await postgres.remove();
      },
    };
  });
} else {
  describe('store contract: PostgreSQL 15', () => {
    it.skip('missing component: postgresql-15 (tools/install-system-deps.sh installs it)', () => undefined);
  });
}
