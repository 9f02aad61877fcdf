/** What the doctor of a machine makes of what it sees there, and the cure that it prints. */
import { describe, expect, it } from 'vitest';
import type { CheckFinding } from '../doctor/check.ts';
import { type Machine, machineChecks } from './machine-checks.ts';

const PID = 4_711;
const POSTMASTER = 4_712;

interface Change extends Partial<Omit<Machine, 'report'>> {
  readonly report?: Partial<Machine['report']>;
}

/** All is well, but for what a test says. */
function makeMachine({ report = {}, ...change }: Change = {}): Machine {
  return {
    report: {
      dataDir: '/var/lib/stella',
      state: 'running',
      manager: 'supervisor',
      pid: PID,
      startedAt: null,
      url: 'http://127.0.0.1:8484',
      version: '1.0.0',
      upSinceMs: null,
      restartCount: 0,
      failureCount: 0,
      lastExit: null,
      nextStartAtMs: null,
      isReady: true,
      note: null,
      supervisorPid: null,
      database: { kind: 'embedded', pid: POSTMASTER, status: 'ready', version: '18' },
      logFile: null,
      ...report,
    },
    orchestrator: { pid: PID, state: 'running' },
    postmasterState: 'running',
    disk: { freeBytes: 5e9, totalBytes: 1e10 },
    orchestratorErrors: [],
    databaseErrors: [],
    database: { address: '/var/lib/stella/run', refusal: null },
    configurationError: null,
    ...change,
  };
}

async function look(what: 'orchestrator' | 'database' | 'log', change: Change = {}): Promise<CheckFinding> {
  const check = machineChecks(makeMachine(change)).find(({ id }) => id === `check.machine.${what}`);
  if (!check) throw new Error(`there is no check of ${what}`);
  // It goes by what was seen before.
  return check.look({} as Parameters<typeof check.look>[0], new AbortController().signal);
}

const GONE = { state: 'stopped', pid: null, isReady: false } as const;
const DOWN = { database: { kind: 'embedded', pid: null, status: null, version: '18' } } as const;
const REFUSED = { address: '/var/lib/stella/run', refusal: 'connect ENOENT' };

describe('check.machine.orchestrator', () => {
  it('passes when it runs and is ready', async () => {
    expect(await look('orchestrator')).toMatchObject({ status: 'pass', message: 'pid 4711 runs and is ready' });
  });

  it('lets one that is stopped by a signal go on, rather than ending it', async () => {
    const finding = await look('orchestrator', {
      report: { isReady: false, note: 'no answer' },
      orchestrator: { pid: PID, state: 'stopped' },
    });
    expect(finding).toMatchObject({ status: 'fail', remedy: { command: 'kill -CONT 4711' } });
  });

  it('starts one that does not run; says that it is a zombie, why it is not started, or what is refused', async () => {
    const report = GONE;
    const start = { command: 'stella service start orchestrator' };
    expect(await look('orchestrator', { report })).toMatchObject({
      status: 'fail',
      message: 'it does not run',
      remedy: start,
    });
    const zombie = { report, orchestrator: { pid: PID, state: 'zombie' } } as const;
    expect((await look('orchestrator', zombie)).message).toContain('pid 4711 has ended and is a zombie');
    const waiting = { report: { ...GONE, state: 'waiting', note: 'no such database' } } as const;
    expect(await look('orchestrator', waiting)).toMatchObject({
      message: 'it does not run: no such database',
      remedy: { command: 'stella service logs orchestrator' },
    });
    const refused = await look('orchestrator', { report, configurationError: 'STELLA_ROLE is invalid' });
    expect(refused.remedy?.text).toContain('STELLA_ROLE is invalid');
  });

  it('restarts one that does not answer; one that was started by hand is ended by its number', async () => {
    const report = { isReady: false, note: 'its loop is blocked' };
    expect(await look('orchestrator', { report })).toMatchObject({
      status: 'fail',
      message: 'pid 4711 runs and is not ready: its loop is blocked',
      remedy: { command: 'stella service restart orchestrator' },
    });
    const byHand = await look('orchestrator', { report: { ...report, manager: 'hand' } });
    expect(byHand.remedy?.command).toBe('kill -TERM 4711');
  });

  it('leads to the database when that is why, and waits for one that starts', async () => {
    const report = { isReady: false };
    expect((await look('orchestrator', { report, database: REFUSED })).remedy?.command).toBe(
      'stella doctor --offline --check check.machine.database',
    );
    const starting = { ...report, state: 'starting' } as const;
    expect(await look('orchestrator', { report: starting })).toMatchObject({ status: 'warn' });
  });

  it('concludes nothing of one in another container', async () => {
    const report = { ...GONE, state: 'elsewhere', note: 'pid 9 of another container' } as const;
    expect(await look('orchestrator', { report })).toMatchObject({
      status: 'skip',
      message: 'pid 9 of another container',
    });
  });
});

describe('check.machine.database', () => {
  it('passes when it answers', async () => {
    expect(await look('database')).toMatchObject({ status: 'pass' });
  });

  it('says that the disk is full, or was, or what PostgreSQL said last', async () => {
    const words = ['2026 [7] FATAL:  could not write lock file "postmaster.pid": No space left on device'];
    const change = { report: { ...GONE, ...DOWN }, database: REFUSED, databaseErrors: words };
    const full = await look('database', { ...change, disk: { freeBytes: 4_096, totalBytes: 1e10 } });
    expect(full).toMatchObject({ status: 'fail', message: 'PostgreSQL does not run: its disk is full' });
    expect(full.remedy?.text).toContain('df -h /var/lib/stella');
    expect(full.remedy?.command).toBe('stella service start orchestrator');
    expect((await look('database', change)).message).toContain('its disk was full');
    const other = await look('database', { ...change, databaseErrors: ['2026 [7] FATAL:  data directory is damaged'] });
    expect(other.message).toBe('PostgreSQL does not run: FATAL:  data directory is damaged');
    expect((await look('database', { ...change, databaseErrors: [] })).message).toBe('PostgreSQL does not run');
  });

  it('restarts the orchestrator that runs without it', async () => {
    expect((await look('database', { report: DOWN, database: REFUSED })).remedy?.command).toBe(
      'stella service restart orchestrator',
    );
  });

  it('lets a stopped one go on, and reads the log of one that does not answer', async () => {
    const stopped = await look('database', { postmasterState: 'stopped', database: REFUSED });
    expect(stopped.remedy?.command).toBe('kill -CONT 4712');
    const deaf = await look('database', { database: REFUSED });
    expect(deaf.remedy?.command).toBe('tail -n 20 /var/lib/stella/postgres.log');
  });

  it('says of a database elsewhere what it was told, and that there is none here', async () => {
    const external = { database: { kind: 'external', pid: null, status: null, version: null } } as const;
    const refused = { address: 'db-1.example:5432/stella', refusal: 'connect ECONNREFUSED' };
    expect(await look('database', { report: external, database: refused })).toMatchObject({
      status: 'fail',
      message: 'connect ECONNREFUSED',
    });
    const none = { database: { kind: 'none', pid: null, status: null, version: null } } as const;
    expect(await look('database', { report: none, database: REFUSED })).toMatchObject({
      message: 'there is no database below /var/lib/stella',
    });
  });
});

describe('check.machine.log', () => {
  it('warns of the last words, passes without, and skips where there is no log', async () => {
    expect(await look('log')).toMatchObject({ status: 'pass' });
    expect(await look('log', { orchestratorErrors: ['a tick failed: gone'] })).toMatchObject({
      status: 'warn',
      message: 'a tick failed: gone',
      remedy: { command: 'stella service logs orchestrator' },
    });
    const none = { orchestratorErrors: null, databaseErrors: null };
    expect(await look('log', none)).toMatchObject({ status: 'skip' });
  });
});
