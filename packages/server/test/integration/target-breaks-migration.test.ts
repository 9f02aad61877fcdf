/** What was known of targets before there were breaks: what is unsound by then broke soaks from the upgrade on. */
import { combinedDigest, type Digest, digestOf, type TargetSight } from '@stella/domain';
import { makeComposeTarget, makeDefinition, makeTarget } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase, openDirect } from '../../src/store/connection.ts';
import { MIGRATIONS } from '../../src/store/migrations/migrations.ts';
import { openPostgresStoreWorld, type PostgresStoreWorld } from '../contract/postgres-store-world.ts';
import { claimOne, create, hire, play, setUp } from '../contract/store-play.ts';
import { makeMemoryLogger, makeTemporaryDirectory, startPostgresIn } from './postgres-fixture.ts';

const VERSION = 28;
const EVERY_MS = 10 * 60_000;
const START_TIMEOUT_MS = 120_000;
const SHOP = makeDefinition({
  name: 'shop',
  targets: [makeTarget(), makeTarget({ name: 'web-2' }), makeTarget({ name: 'web-3' }), makeComposeTarget()],
});

let world: PostgresStoreWorld;
let owner: Database;
let stop: () => Promise<void>;
beforeAll(async () => {
  const directory = makeTemporaryDirectory();
  const postgres = await startPostgresIn(directory.path);
  const place = { kind: 'socket', directory: postgres.socketDirectory, database: postgres.databaseName } as const;
  const addresses = { owner: { ...place, user: postgres.ownerRole }, app: { ...place, user: postgres.appRole } };
  world = await openPostgresStoreWorld({ ...addresses, appRole: postgres.appRole });
  owner = openDatabase(addresses.owner, { logger: makeMemoryLogger(), poolSize: 1 });
  stop = async () => {
    await owner.close();
    await world.close();
    await postgres.stop();
    directory.remove();
  };
}, START_TIMEOUT_MS);
afterAll(() => stop());

/** Targets as they are found: as promised, another digest, ill, and of the project another one, too. */
async function lookAtShop(): Promise<void> {
  const place = await setUp(world, [SHOP], 1, () => ['api', 'web']);
  const { releases } = place;
  const worker = await hire(world);
  await create(place, 'shop', 1);
  await play(world, await claimOne(world, worker.id));
  await world.control.pass(EVERY_MS);
  const [round] = await world.observations.takeDueRounds(1);
  if (!round) throw new Error('the shop is not due');
  const web = releases[0]?.components.find(({ name }) => name === 'web')?.digest ?? null;
  const seen = (digest: Digest | null, isHealthy = true): TargetSight => ({
    outcome: 'seen',
    digest,
    isHealthy,
    message: '',
  });
  const sights: Readonly<Record<string, TargetSight>> = {
    'web-1': seen(web),
    'web-2': seen(digestOf('other')),
    'web-3': seen(web, false),
  };
  const rest = seen(combinedDigest([{ name: 'api', digest: digestOf('other') }]));
  const looks = round.targets.map((target) => ({ target, sight: sights[target.name] ?? rest }));
  await world.observations.recordRound(round, looks, { by: 'host-1', jitter: 0.5 });
}

describe('an upgrade to breaks of targets', () => {
  it('takes what has drifted or is ill by then for broken since then, with the components of its target', async () => {
    await lookAtShop();
    const migration = MIGRATIONS[VERSION - 1];
    expect(migration?.name).toBe('target-breaks');
    const { client } = await openDirect(owner, {});
    await client.query(`alter table stella.target_observations drop column broken_since_at, drop column broken_until_at,
      drop column broken_components; drop index stella.gate_runs_soaks`);
    await client.query(`begin; ${migration?.sql}; commit`);
    const { rows } = await client.query(
      `select target, broken_since_at > now() - interval '1 minute' as is_now, broken_until_at, broken_components
        from stella.target_observations order by target`,
    );
    await client.end();
    const broken = { is_now: true, broken_until_at: null };
    expect(rows).toEqual([
      { target: makeComposeTarget().name, ...broken, broken_components: ['api', 'web'] },
      { target: 'web-1', is_now: null, broken_until_at: null, broken_components: null },
      { target: 'web-2', ...broken, broken_components: ['web'] },
      { target: 'web-3', ...broken, broken_components: ['web'] },
    ]);
  });
});
