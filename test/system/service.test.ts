/** systemd's own tools on the unit that `stella service install` writes, and a real systemd that runs it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatUnit, UNIT_NAME } from '../../packages/server/src/supervision/systemd-unit.ts';
import { bootServiceMachine, type ServiceMachine } from './service-machine.ts';

const TIMEOUT_MS = 30_000;
const SETUP_TIMEOUT_MS = 240_000;
/** systemd's own scale: below 5 is "OK" or "MEDIUM"; root needs more than a user of its own. */
const EXPOSURE_MAX = { root: 5, user: 2.5 };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stella-unit-'));
  mkdirSync(join(directory, 'data'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function writeUnit(user: string | null): string {
  const unit = formatUnit({
    dataDir: join(directory, 'data'),
    program: [process.execPath, '/opt/stella/main.mjs'],
    environmentFile: join(directory, 'data', 'service', 'environment'),
    secretsFile: join(directory, 'data', 'service', 'secrets'),
    user,
    writable: ['/srv'],
    reads: [],
  });
  const path = join(directory, UNIT_NAME);
  writeFileSync(path, unit);
  return path;
}

describe('the unit for systemd', () => {
  it.each([null, 'daemon'])('is taken without a word of complaint, for the user %s', (user) => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', writeUnit(user)], {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    expect({ status, words: stdout + stderr }).toEqual({ status: 0, words: '' });
  });

  it.each([
    [null, EXPOSURE_MAX.root],
    ['daemon', EXPOSURE_MAX.user],
  ])('exposes little, for the user %s: at most %d of 10', (user, exposureMax) => {
    const text = execFileSync(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', '--threshold=100', writeUnit(user)],
      { encoding: 'utf8', timeout: TIMEOUT_MS },
    );
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    expect(exposure, text).toBeLessThanOrEqual(exposureMax);
    expect(exposure).toBeGreaterThan(0);
  });
});

describe('the service on a machine that systemd runs', () => {
  let machine: ServiceMachine;
  beforeAll(async () => {
    machine = await bootServiceMachine();
  }, SETUP_TIMEOUT_MS);
  afterAll(() => machine.remove());

  it(
    'is installed, started, restarted and stopped by systemd; PostgreSQL lives on over a restart and a kill',
    async () => {
      expect(machine.service('install')).toMatchObject({ manager: 'systemd', variables: ['STELLA_LISTEN'] });
      const started = machine.service('start');
      expect(started).toMatchObject({ state: 'running', manager: 'systemd', isReady: true, wasThere: false });
      const restarted = machine.service('restart');
      expect(restarted).toMatchObject({ isReady: true, database: started['database'] });
      expect(restarted['pid']).not.toBe(started['pid']);
      machine.run(['kill', '-KILL', String(restarted['pid'])]);
      const back = (): Readonly<Record<string, unknown>> => machine.service('status');
      const isBack = (): boolean => back()['isReady'] === true && back()['pid'] !== restarted['pid'];
      await waitFor(isBack, { timeoutMs: SETUP_TIMEOUT_MS, why: 'systemd has started it again' });
      expect(back()).toMatchObject({ restartCount: 1, database: started['database'] });
      machine.run(['systemctl', 'restart', UNIT_NAME]);
      await waitFor(() => back()['isReady'] === true, { timeoutMs: SETUP_TIMEOUT_MS, why: 'it is ready' });
      expect(back()).toMatchObject({ database: started['database'] });
      expect(machine.service('stop')).toMatchObject({ state: 'stopped', pid: null, database: { pid: null } });
      expect(machine.run(['ps', '-e', '-o', 'comm='])).not.toMatch(/postgres|node/);
    },
    2 * SETUP_TIMEOUT_MS,
  );
});
