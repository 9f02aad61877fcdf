/** A whole orchestrator over a fail-over to a standby that lost something: what it notices, and that it goes on. */
import { type DebianPostgres, hasDebianPostgres, startDebianPostgres, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  createReleases,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../../packages/server/test/integration/http-fixture.ts';

const SWITCH_TIMEOUT_MS = 90_000;

if (!hasDebianPostgres()) {
  describe('a fail-over', () => {
    it.skip('missing component: postgresql-15 (tools/install-system-deps.sh installs it)', () => undefined);
  });
} else {
  describe('a fail-over', () => {
    let primary: DebianPostgres;
    let standby: DebianPostgres;
    let test: TestServer;
    beforeAll(async () => {
      primary = await startDebianPostgres();
      standby = await primary.makeStandby('standby');
      const hosts = `${primary.address},${standby.address}`;
      test = await startTestServer({
        STELLA_DATABASE_URL: `postgresql://stella_app@${hosts}/stella?target_session_attrs=read-write`,
        STELLA_DATABASE_OWNER_URL: `postgresql://stella_owner@${hosts}/stella`,
      });
      await applyEnvironments(test, [{ name: 'prod' }]);
      await createReleases(test, 2);
    });
    afterAll(async () => {
      // Its rows are in a PostgreSQL of its own, not in the server's embedded one.
      await test.place.remove();
      await standby.remove();
      await primary.remove();
    });

    const promote = async (release: string): Promise<string> =>
      (await test.admin.call('createPromotion', { body: { release, environment: 'prod' } })).id;
    const promotion = (id: string) => test.admin.call('getPromotion', { parameters: { promotion: id } });
    const environment = () => test.admin.call('getEnvironment', { parameters: { environment: 'prod' } });
    const until = (condition: () => Promise<boolean>, why: string): Promise<void> =>
      waitFor(() => condition().catch(() => false), { timeoutMs: SWITCH_TIMEOUT_MS, why });

    it('that lost a deploy is noticed: the epoch rises by itself, and the environment stops until an admin has looked', async () => {
      await untilStatus(test.admin, await promote('shop-1'), 'completed');
      const end = await primary.sql('select pg_current_wal_insert_lsn()');
      await until(async () => (await standby.sql(`select pg_last_wal_replay_lsn() >= '${end}'`)) === 't', 'it follows');
      // From here on the standby gets nothing any more: an asynchronous loss.
      await standby.sql("alter system set primary_conninfo = ''");
      await standby.sql('select pg_reload_conf()');
      await until(async () => (await primary.sql('select count(*) from pg_stat_replication')) === '0', 'it is cut off');
      const lost = await promote('shop-2');
      await untilStatus(test.admin, lost, 'completed');
      await primary.kill();
      await standby.promote();

      await until(async () => (await environment()).state === 'unknown', 'the replaced database is noticed');
      expect(await test.admin.call('getOrchestrator')).toMatchObject({ installationEpoch: 2 });
      await expect(promotion(lost)).rejects.toMatchObject({ code: 'promotion.not_found' });

      const again = await promote('shop-2');
      await until(async () => (await promotion(again)).stop !== null, 'the target is found to be ahead');
      const { stop } = await environment();
      expect(stop).toMatchObject({ target: 'web', lacks: 'operation', operationId: `${lost}.deploy.web.1` });
      await test.admin.call('raiseFence', {
        parameters: { environment: 'prod' },
        body: { reason: 'looked at it', dryRun: false },
      });
      await untilStatus(test.admin, again, 'completed');
      const deploys = (await promotion(again)).attempts.filter((attempt) => attempt.purpose === 'deploy');
      expect(deploys.map((attempt) => attempt.fence?.split('.')[0])).toEqual(['2']);
      expect(await environment()).toMatchObject({ state: 'whole', stop: null, release: { name: 'shop-2' } });
    });
  });
}
