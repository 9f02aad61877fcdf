import { describe, expect, it } from 'vitest';
import type { Processes, RunResult } from '../ports/processes.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeProcesses } from '../system/node-processes.ts';
import { isSystemdHere, parseUnit, systemctl } from './systemd.ts';

const RUNNING = `ActiveState=active
SubState=running
MainPID=4711
NRestarts=2
ExecMainStartTimestamp=@1764172800
ExecMainExitTimestamp=
ExecMainCode=0
ExecMainStatus=0
`;

function processesAnswering(result: Partial<RunResult>): Processes {
  const whole = { exitCode: 0, signal: null, isTimedOut: false, stdout: '', stderr: '', ...result };
  return { ...nodeProcesses, run: () => Promise.resolve(whole) };
}

describe('systemd', () => {
  it('tells of a unit that runs', () => {
    expect(parseUnit(RUNNING)).toEqual({
      activeState: 'active',
      subState: 'running',
      mainPid: 4_711,
      sinceMs: 1_764_172_800_000,
      restartCount: 2,
      exitedAtMs: null,
      exit: null,
    });
  });

  it.each([
    ['ExecMainCode=1\nExecMainStatus=6', { exitCode: 6, signal: null }],
    ['ExecMainCode=2\nExecMainStatus=9', { exitCode: null, signal: 'signal 9' }],
  ])('tells of its end: %j', (text, exit) => {
    expect(parseUnit(`${text}\nExecMainExitTimestamp=@12\nMainPID=0\n`)).toMatchObject({
      exit,
      exitedAtMs: 12_000,
      mainPid: null,
    });
  });

  it('is told with its own words when it refuses: service.manager', async () => {
    const processes = processesAnswering({ exitCode: 5, stderr: 'Unit stella-orchestrator.service not found.\n' });
    const deps = { fileSystem: nodeFileSystem, processes, uid: 0 };
    await expect(systemctl(deps, ['start'])).rejects.toMatchObject({
      code: 'service.manager',
      message: expect.stringContaining('Unit stella-orchestrator.service not found.') as string,
    });
    await expect(
      systemctl({ ...deps, processes: processesAnswering({ exitCode: null, isTimedOut: true }) }, ['stop']),
    ).rejects.toMatchObject({ message: expect.stringContaining('no answer within 60 s') as string });
  });

  it('is not for an ordinary user', async () => {
    const deps = { fileSystem: nodeFileSystem, processes: processesAnswering({}), uid: 1_000 };
    expect(await isSystemdHere(deps)).toBe(false);
  });
});
