/**
 * `stella service` with real processes: what it promises about restarts, and that after any kill of supervisor or server
 * the next command works, with never more than one server on a data directory.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeSeededRandom, waitFor } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endAtOnce, isThere, logOf, openServiceStage, type ServiceStage } from './service-stage.ts';

/** Many starts of several programs, on a machine that may be busy; a hang ends here. */
const TEST_TIMEOUT_MS = 600_000;
const SOON_MS = 120_000;
const RANDOM_SEED = 20_261_126;
const KILL_ROUNDS = 4;

let stage: ServiceStage;
beforeEach(async () => {
  stage = await openServiceStage();
});
afterEach(() => stage.remove(), SOON_MS);

describe('the service', { timeout: TEST_TIMEOUT_MS }, () => {
  it('starts, is restarted with its PostgreSQL running on, and stops with all of it', async () => {
    const started = await stage.done('start');
    expect(started).toMatchObject({ state: 'running', isReady: true, manager: 'supervisor', restartCount: 0 });
    expect(await stage.service(['start'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('started already') as string,
    });
    const restarted = await stage.done('restart');
    expect(restarted.pid).not.toBe(started.pid);
    expect(restarted.supervisorPid).toBe(started.supervisorPid);
    expect(restarted.database).toEqual(started.database);
    expect(restarted.tookMs).toBeGreaterThanOrEqual(restarted.drainedMs);
    const { stdout } = await stage.service(['logs', '--lines', '200']);
    expect(stdout).toMatch(/embedded PostgreSQL is left running/);
    const stopped = await stage.done('stop');
    expect(stopped).toMatchObject({ state: 'stopped', pid: null, supervisorPid: null });
    expect(stopped.database).toMatchObject({ kind: 'embedded', pid: null });
    expect(isThere(started.database.pid ?? 0)).toBe(false);
    expect(await stage.service(['stop'])).toMatchObject({ code: 0 });
    expect(await stage.done('restart')).toMatchObject({ state: 'running', isReady: true });
    await stage.done('stop');
  });

  it('gives a server whose event loop is blocked 30 s, then kills it, and is ready again', async () => {
    const started = await stage.done('start');
    await stage.block();
    await waitFor(async () => !(await stage.done('status')).isReady, { timeoutMs: SOON_MS, why: 'it is blocked' });
    const restarting = stage.done('restart');
    await waitFor(() => !isThere(started.pid ?? 0), { timeoutMs: SOON_MS, why: 'it was killed' });
    await stage.unblock();
    const restarted = await restarting;
    expect(restarted.drainedMs).toBeGreaterThanOrEqual(30_000);
    expect(restarted).toMatchObject({ isReady: true, database: started.database });
    expect(await logOf(stage.place)).toContain('"how":"killed"');
    await stage.done('stop');
  });

  it('starts a killed server again on the same PostgreSQL, and says so', async () => {
    const started = await stage.done('start');
    await endAtOnce(started.pid ?? 0);
    await stage.untilReady(started.pid);
    const back = await stage.done('status');
    expect(back).toMatchObject({ restartCount: 1, lastExit: { signal: 'SIGKILL' }, database: started.database });
    await stage.done('stop');
  });

  it('keeps the server when its supervisor is killed; a new one goes on with it', async () => {
    const started = await stage.done('start');
    await endAtOnce(started.supervisorPid ?? 0);
    expect(await stage.done('status')).toMatchObject({
      pid: started.pid,
      isReady: true,
      supervisorPid: null,
      note: expect.stringContaining('its supervisor is gone') as string,
    });
    const again = await stage.done('start');
    expect(again.pid).toBe(started.pid);
    expect(again.supervisorPid).not.toBe(started.supervisorPid);
    await endAtOnce(again.supervisorPid ?? 0);
    const restarted = await stage.done('restart');
    expect(restarted.pid).not.toBe(started.pid);
    expect(restarted.database).toEqual(started.database);
    await endAtOnce(restarted.supervisorPid ?? 0);
    expect(await stage.done('stop')).toMatchObject({ state: 'stopped', database: { pid: null } });
  });

  it('never has two servers, whoever of them is killed at whatever moment', async () => {
    const random = makeSeededRandom(RANDOM_SEED);
    for (let round = 0; round < KILL_ROUNDS; round += 1) {
      const command = stage.service([random.pick(['start', 'restart'])]);
      const killAtMs = performance.now() + random.between(200, 4_000);
      await waitFor(() => performance.now() >= killAtMs, { timeoutMs: 10_000, why: 'the moment comes' });
      const victims = random.pick<readonly ('run' | 'serve')[]>([['run'], ['serve'], ['run', 'serve']]);
      for (const pid of victims.flatMap((word) => stage.processes(word))) await endAtOnce(pid);
      await command;
      const report = await stage.done(random.pick(['start', 'restart']));
      expect(report, `round ${round} of seed ${RANDOM_SEED}`).toMatchObject({ isReady: true });
      expect(stage.processes('serve')).toEqual([report.pid]);
      expect(stage.processes('run')).toEqual([report.supervisorPid]);
    }
    expect(await stage.done('stop')).toMatchObject({ state: 'stopped', database: { pid: null } });
    expect([...stage.processes('serve'), ...stage.processes('run')]).toEqual([]);
  });

  it('signals nobody by a number that belongs to somebody else now', async () => {
    const bystander = spawn('sleep', ['600'], { stdio: 'ignore' });
    const directory = join(stage.place.dataDir, 'service');
    await mkdir(directory, { mode: 0o700 });
    const identity = {
      pid: bystander.pid,
      startedAt: '1',
      ...(await machineNames()),
      manager: 'supervisor',
      claim: 'x',
    };
    await writeFile(join(directory, 'supervisor.pid'), JSON.stringify(identity));
    await writeFile(join(stage.place.dataDir, 'server.pid'), JSON.stringify(identity));
    expect(await stage.done('stop')).toMatchObject({ state: 'stopped' });
    const started = await stage.done('restart');
    expect(started.isReady).toBe(true);
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
    await stage.done('stop');
    bystander.kill('SIGKILL');
  });

  it('tells at once why the orchestrator does not start, tries on, and is ready when the cause is gone', async () => {
    const started = await stage.done('start');
    const port = new URL(started.url ?? '').port;
    await stage.done('stop');
    const other = await listenOn(Number(port));
    await stage.service(['install', '--manager', 'supervisor'], { STELLA_LISTEN: `127.0.0.1:${port}` });
    const failed = await stage.service(['start'], { STELLA_LISTEN: `127.0.0.1:${port}` });
    expect(failed).toMatchObject({ code: 10, stderr: expect.stringContaining('service.not_ready') as string });
    expect(failed.stderr).toContain(`${port} is in use`);
    expect((await stage.done('status')).restartCount).toBeGreaterThanOrEqual(2);
    await new Promise((resolve) => other.close(resolve));
    expect(await stage.done('start')).toMatchObject({ isReady: true });
    await stage.done('stop');
  });
});

describe('what the service refuses', { timeout: TEST_TIMEOUT_MS }, () => {
  it('a server that was started by hand, naming its pid and the way out: service.unmanaged', async () => {
    const byHand = await stage.serveByHand();
    for (const verb of ['restart', 'stop', 'start']) {
      const refused = await stage.service([verb]);
      expect(refused.code).toBe(6);
      expect(refused.stderr).toContain(`pid ${byHand.pid}`);
      expect(refused.stderr).toContain(`kill -TERM ${byHand.pid}`);
      expect(refused.stderr).toContain('code: service.unmanaged');
    }
    expect(await stage.done('status')).toMatchObject({ manager: 'hand', pid: byHand.pid, isReady: true });
    await byHand.stop();
    expect(await stage.done('start')).toMatchObject({ isReady: true });
    await stage.done('stop');
  });

  it('another machine, naming it: service.other_host', async () => {
    const refused = await stage.service(['restart'], { STELLA_SERVER: 'https://stella.example:8484' });
    expect(refused).toMatchObject({ code: 6, stdout: '' });
    expect(refused.stderr).toContain('run the same command on stella.example');
    expect(refused.stderr).toContain('code: service.other_host');
    const here = await stage.service(['status'], { STELLA_SERVER: `http://${hostname()}:8484` });
    expect(here.code).toBe(0);
  });

  it('a data directory that is used from another container: service.elsewhere', async () => {
    const identity = { pid: 7, startedAt: '1', ...(await machineNames()), pidNamespace: 'pid:[1]', claim: 'x' };
    await writeFile(join(stage.place.dataDir, 'server.pid'), JSON.stringify(identity));
    const refused = await stage.service(['restart']);
    expect(refused).toMatchObject({ code: 6, stderr: expect.stringContaining('service.elsewhere') as string });
    expect(refused.stderr).toContain('pid 7 of another container');
  });

  it('a second supervisor on one data directory: service.supervised', async () => {
    const { supervisorPid } = await stage.done('start');
    const second = await stage.service(['run']);
    expect(second.code).toBe(6);
    expect(second.stderr).toContain(`already, as pid ${supervisorPid}`);
    expect(second.stderr).toContain('code: service.supervised');
    await stage.done('stop');
  });
});

/** As `server.pid` names this machine. */
async function machineNames(): Promise<{ bootId: string; pidNamespace: string }> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return { bootId, pidNamespace: await readlink('/proc/self/ns/pid') };
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
