import type { Answer } from '@stella/contract/client';
import { describe, expect, it } from 'vitest';
import { describeStatus } from './env-status.ts';

type Status = Answer<'getEnvironmentStatus'>;

const NOW = '2026-01-01T00:10:00.000Z';
const SINCE = '2026-01-01T00:08:00.000Z';
const PROMISED = `sha256:${'ab'.repeat(32)}`;

function drifting(target: string, component: string, more: object = {}): object {
  const observation = { at: NOW, by: 'host-1', code: '', message: '', unseenSince: null, driftSince: SINCE };
  const what = { promised: PROMISED, seen: null, message: '', seenAt: NOW, operation: null };
  return { target, kind: 'files', component, state: 'drifted', ...what, observation, ...more };
}

function linesOf(...targets: readonly object[]): readonly string[] {
  return linesWith({}, ...targets);
}

function linesWith(more: object, ...targets: readonly object[]): readonly string[] {
  const nothing = { stop: null, freeze: null, debts: [], components: [] };
  const release = { id: 'rel_1', name: 'shop-1' };
  const environment = { name: 'prod', state: 'whole', release, releasedAt: SINCE, ...nothing };
  // Only what is shown.
  const status = { now: NOW, environment, targets, locks: [], promotions: [], ...more } as unknown as Status;
  return describeStatus(status, { nowMs: Date.parse(NOW), isDetailed: true });
}

const cures = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => /^(Cure|Digests|Way back)/.test(line)).map((line) => line.replace(/ {2,}/, ': '));

const BACK = 'Way back: stella rollback start --env prod';

describe('orch env status of targets that drift', () => {
  it('says since when, and brings back what was verified: once for each component', () => {
    const web = [drifting('web-1', 'web'), drifting('web-2', 'web')];
    const lines = linesOf(...web);
    expect(lines).toContain('Drift        web-1 runs other than what was verified there, for 2m');
    expect(cures(lines)).toEqual(['Cure: stella deploy --env prod --artifact sha256:abababababab', BACK]);
    expect(cures(linesOf(...web, drifting('api-1', 'api')))).toEqual([
      'Cure: stella deploy --env prod --artifact sha256:abababababab --component web',
      'Cure: stella deploy --env prod --artifact sha256:abababababab --component api',
      BACK,
    ]);
  });

  it('of several components together names no digest that is of none of them', () => {
    expect(cures(linesOf(drifting('shop', 'api, web')))).toEqual([
      'Cure: stella deploy --env prod --artifact <digest> --component api',
      'Digests: stella release show shop-1',
      BACK,
    ]);
  });

  it('folds what targets say, once, at 80 columns', () => {
    const message = 'ssh: connect to host 10.0.0.5 port 22: no route to host, tried again and again for 30s';
    const observation = { at: NOW, by: 'host-1', code: 'x', message, unseenSince: SINCE, driftSince: SINCE };
    const lines = linesOf(drifting(`web-${'9'.repeat(30)}`, 'web', { message, observation }));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    const text = lines.join(' ').replaceAll(/ +/g, ' ');
    expect(text.split(message)).toHaveLength(2);
    expect(text).toContain(`not seen for 2m: ${message}`);
  });

  it('folds whose lock it is, at 80 columns, and breaks no id', () => {
    const [id, promotionId] = [`lck_${'1'.repeat(32)}`, `prm_${'2'.repeat(32)}`];
    const lock = { id, mode: 'exclusive', isStale: true, step: 'deploy', promotionId };
    const lines = linesWith({ locks: [lock] }, drifting('web-1', 'web'));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines).toContain(`Lock         ${id} STALE, in deploy of`);
    expect(lines).toContain(`             ${promotionId}`);
  });
});
