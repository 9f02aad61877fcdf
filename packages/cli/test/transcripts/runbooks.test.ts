/**
 * The runbooks of `docs/runbooks` and the pages of `docs/operating`, word for word: every command of them is run in its
 * order, by a person on the machine of a real orchestrator that is managed as a service, while a promotion is stuck at a
 * gate that hangs. At the end it has completed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillIn, readRunbook } from './read-runbook.ts';
import { openRunbookStage, type RunbookStage } from './runbook-stage.ts';

const DOCS = join(import.meta.dirname, '../../../../docs');
const TEST_TIMEOUT_MS = 300_000;

/** What a command ends with while something is wrong; every other one ends with 0. */
const EXIT_CODES: readonly (readonly [start: string, code: number])[] = [
  // Before any of the others is stuck, and after the environment was put right.
  ['stella doctor --check check.orchestrator.rollback-health', 0],
  ['stella orch connectivity --target back', 0],
  // It looks at the gates, too, and one hangs.
  ['stella doctor', 9],
  // Likewise: the gate is among what is asked for the environment.
  ['stella orch connectivity', 1],
];

let stage: RunbookStage;
beforeAll(async () => {
  stage = await openRunbookStage();
}, TEST_TIMEOUT_MS);
afterAll(() => stage.remove());

/** Runs all of a page; answers those that ended otherwise than they should. */
async function follow(page: string, values: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const commands = readRunbook(readFileSync(join(DOCS, page), 'utf8'));
  expect(commands.length).toBeGreaterThan(2);
  const faults: string[] = [];
  for (const { line, text } of commands) {
    const command = fillIn(text, values);
    const { code, stdout, stderr } = await stage.run(command, 'admin');
    const wanted = EXIT_CODES.find(([start]) => command.startsWith(start))?.[1] ?? 0;
    if (code !== wanted) faults.push(`${page}:${line}: ${command} ended with ${code}: ${stderr}${stdout}`);
  }
  return faults;
}

describe('a person who follows a runbook', () => {
  it('upgrades, backs up and restores', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await follow('operating/upgrade.md', {})).toEqual([]);
    const values = { 'data-dir': stage.dataDir, backup: `${stage.dataDir}.tar.gz`, env: 'prod' };
    expect(await follow('operating/backup-and-restore.md', values)).toEqual([]);
    const { stdout } = await stage.run('stella release list -o name', 'admin');
    expect(stdout).toContain('shop-2');
  });

  it('practises with a drill', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await follow('operating/drills.md', { directory: stage.targets })).toEqual([]);
    const { stdout } = await stage.run('stella environment list -o name', 'admin');
    expect(stdout).not.toContain('drill-');
  });

  it('goes back again after a rollback has failed', { timeout: TEST_TIMEOUT_MS }, async () => {
    const id = await stage.failRollback('shop-1', 'shop-2');
    const digest = await stage.digestOf('shop-2');
    const values = { id, env: 'back', release: 'shop-1', digest, 'why, and the ticket': 'it is well again, CAB-3' };
    expect(await follow('runbooks/rollback-failed.md', values)).toEqual([]);
    const { stdout } = await stage.run('stella orch env status back -o json', 'admin');
    expect(stdout).toMatch(/"state": "whole"/);
  });

  it('cures a stuck promotion', { timeout: TEST_TIMEOUT_MS }, async () => {
    const id = await stage.promoteIntoHungGate('shop-1');
    const values = {
      id,
      env: 'prod',
      gate: 'change-ticket',
      digest: await stage.digestOf('shop-1'),
      'lock-id': await stage.holdLock('shop-1'),
      'why, and the ticket': 'CAB-1 does not answer',
    };
    expect(await follow('runbooks/promotion-stuck.md', values)).toEqual([]);
    await stage.approveSkip(id);
    await stage.untilStatus(id, 'completed');
    const { stdout } = await stage.run(`stella orch artifacts list --env prod --filter ${values.digest}`, 'admin');
    expect(stdout).toContain(values.digest);
    const stuck = await stage.run('stella promotion list --status in_progress --older-than 5m', 'admin');
    expect(stuck.stdout).toBe('');
  });

  it('lets one start that waits for a quota', { timeout: TEST_TIMEOUT_MS }, async () => {
    const id = await stage.promoteIntoUsedUpQuota('shop-1', 'shop-2');
    const values = { id, env: 'calm', limit: '2', 'why, and the ticket': 'release day, CAB-2' };
    expect(await follow('runbooks/quota-exceeded.md', values)).toEqual([]);
    await stage.untilStatus(id, 'completed');
  });

  it('cures one whose gate times out', { timeout: TEST_TIMEOUT_MS }, async () => {
    const id = await stage.promoteIntoHungGate('shop-2');
    const values = { id, gate: 'change-ticket', 'why, and the ticket': 'CAB-1 does not answer' };
    expect(await follow('runbooks/gate-timeout.md', values)).toEqual([]);
    await stage.approveSkip(id);
    await stage.untilStatus(id, 'completed');
  });
});
