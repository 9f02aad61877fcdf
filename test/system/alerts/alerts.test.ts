/** The alerts and the dashboard of `ops/`, against a real Prometheus that scrapes a real server on which a gate hangs. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  createReleases,
  enrol,
  type GateServer,
  startGateServer,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../../../packages/server/test/integration/http-fixture.ts';
import { missingPrograms, type Monitoring, type Notified, startMonitoring } from './monitoring.ts';

const OPS = join(import.meta.dirname, '../../../ops');
const RULES = join(OPS, 'prometheus/stella-alerts.yaml');
/** It fires at once and is kept for a minute; a busy machine takes its time. */
const ALERT_TIMEOUT_MS = 150_000;
const TEST_TIMEOUT_MS = 400_000;
/** So long the gate of the test hangs, at the least. */
const HANG_MS = 600_000;

const run = promisify(execFile);
const missing = missingPrograms();

if (missing.length > 0) {
  describe('alerts', () => {
    it.skip('missing component: prometheus, prometheus-alertmanager (tools/install-system-deps.sh)', () => undefined);
  });
} else {
  describe('the files of ops', () => {
    it('each alert fires when it should, and is silent when it should', async () => {
      const { stdout } = await run('promtool', ['test', 'rules', join(OPS, 'prometheus/stella-alerts.test.yaml')]);
      expect(stdout).toContain('SUCCESS');
    });

    it('the example for Alertmanager is valid', async () => {
      const { stdout } = await run('amtool', ['check-config', join(OPS, 'alertmanager/alertmanager.yaml')]);
      expect(stdout).toContain('SUCCESS');
    });
  });

  describe('a gate that hangs', () => {
    let test: TestServer;
    let gate: GateServer;
    let monitoring: Monitoring;
    beforeAll(async () => {
      gate = await startGateServer();
      test = await startTestServer();
      await applyEnvironments(test, [
        { name: 'free', gates: [`- { name: tests, kind: http, url: "${gate.url}" }`] },
        { name: 'asked', gates: ['- { name: people, kind: approval, count: 1 }'] },
        {
          name: 'hung',
          gates: ['- { name: people, kind: approval, count: 1 }', `- { name: tests, kind: http, url: "${gate.url}" }`],
        },
      ]);
      await createReleases(test, 1);
      monitoring = await startMonitoring({ rulesFile: RULES, scraped: [new URL(test.server.url).host] });
    });
    afterAll(async () => {
      await monitoring.stop();
      await test.remove();
      gate.close();
    });

    const promote = async (environment: string): Promise<string> =>
      (await test.admin.call('createPromotion', { body: { release: 'shop-1', environment } })).id;
    const set = (setting: string, value: string): Promise<unknown> =>
      test.admin.call('changeSetting', { parameters: { setting }, body: { value } });
    const untilNotified = (status: Notified['status']): Promise<void> =>
      waitFor(() => stuck().some((alert) => alert.status === status), {
        timeoutMs: ALERT_TIMEOUT_MS,
        why: `${status} is told`,
      });
    const stuck = (): readonly Notified[] =>
      monitoring.notified.filter(({ labels }) => labels['alertname'] === 'OrchestratorPromotionStuck');

    it('raises the alert with the command that explains it, fills the dashboard, and its cure resolves it', {
      timeout: TEST_TIMEOUT_MS,
    }, async () => {
      await set('stuck.after', '5s');
      await set('gates.tests.timeout', '2s');
      await set('gates.tests.retries', '0');
      // One that ends, and one that waits for a person alone: neither may ever count as stalled.
      await untilStatus(test.admin, await promote('free'), 'completed');
      const waiting = await promote('asked');
      await untilStatus(test.admin, waiting, 'pending_approval');
      gate.answerAfter(HANG_MS);
      const hung = await promote('hung');

      await untilNotified('firing');
      const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion: hung } });
      const cause = causes[0]?.code ?? 'none';
      expect(stuck()[0]?.annotations['description']).toBe(expectedDescription(stuck()[0], hung, cause));
      expect(monitoring.notified.map(({ annotations }) => annotations['description']).join()).not.toContain(waiting);
      expect(await emptyQueries(monitoring)).toEqual([]);

      gate.answerAfter(0);
      const approver = await enrol(test, 'bo@example.com', 'approver@*');
      await approver.client.call('approvePromotion', { parameters: { promotion: hung }, body: { gate: 'people' } });
      await set('gates.tests.retries', '3');
      await untilNotified('resolved');
      await untilStatus(test.admin, hung, 'completed');
    });
  });
}

/** The time is the one that it has: what counts is whom it names, why, and the command. */
function expectedDescription(alert: Notified | undefined, promotion: string, cause: string): string {
  const [, time = ''] = /progress for (.+?), because/.exec(alert?.annotations['description'] ?? '') ?? [];
  const command = `stella promotion diagnose ${promotion}`;
  return `${promotion} into hung has made no progress for ${time}, because of ${cause}. Run: ${command}`;
}

/** Queries of the dashboard that answer nothing. */
async function emptyQueries(monitoring: Monitoring): Promise<readonly string[]> {
  const dashboard = JSON.parse(await readFile(join(OPS, 'grafana/release-orchestrator.json'), 'utf8')) as Dashboard;
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(expressions.length).toBeGreaterThan(20);
  const answers = await Promise.all(expressions.map(async (expr) => ({ expr, samples: await monitoring.query(expr) })));
  return answers.filter(({ samples }) => samples.length === 0).map(({ expr }) => expr);
}

/** The part of Grafana's format that is looked at. */
interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
}
