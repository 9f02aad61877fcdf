/** The contract's place on an embedded PostgreSQL of its own, in a temporary directory. */
import { makeTemporaryDirectory, startPostgresIn } from '../integration/postgres-fixture.ts';
import { openPostgresStoreWorld, type PostgresStoreWorld } from './postgres-store-world.ts';

export async function openEmbeddedStoreWorld(): Promise<PostgresStoreWorld> {
  const directory = makeTemporaryDirectory();
  const postgres = await startPostgresIn(directory.path);
  const place = { kind: 'socket', directory: postgres.socketDirectory, database: postgres.databaseName } as const;
  const world = await openPostgresStoreWorld({
    owner: { ...place, user: postgres.ownerRole },
    app: { ...place, user: postgres.appRole },
    appRole: postgres.appRole,
  });
  return {
    ...world,
    close: async () => {
      await world.close();
      await postgres.stop();
      directory.remove();
    },
  };
}
