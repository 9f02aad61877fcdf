/** How the supervisor starts again what ends, with real processes in place of the server, and a clock that runs fast. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';
import { startSupervisor, type Supervisor } from '../../src/supervision/supervisor.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeRandom } from '../../src/system/node-random.ts';
import { embeddedDeps, type LogLine, makeMemoryLogger, makeTemporaryDirectory } from './postgres-fixture.ts';

/** A minute is 0.6 s. */
const SPEED = 100;
const fastClock: Clock = {
  nowMs: () => nodeClock.nowMs(),
  monotonicMs: () => nodeClock.monotonicMs() * SPEED,
  schedule: (delayMs, run) => nodeClock.schedule(delayMs / SPEED, run),
  timeoutSignal: (delayMs) => nodeClock.timeoutSignal(delayMs / SPEED),
};

let directory: ReturnType<typeof makeTemporaryDirectory>;
let lines: LogLine[];
beforeEach(() => {
  directory = makeTemporaryDirectory();
  lines = [];
});
afterEach(() => directory.remove());

function start(script: string): Promise<Supervisor> {
  const embedded = embeddedDeps({ clock: fastClock, logger: makeMemoryLogger(lines) });
  return startSupervisor(
    { embedded, random: nodeRandom, pid: process.pid },
    {
      dataDir: directory.path,
      logFile: join(directory.path, 'service', 'orchestrator.log'),
      command: () => Promise.resolve({ argv: ['sh', '-c', script], env: { PATH: '/usr/bin:/bin' } }),
    },
  );
}

const pauses = (): readonly unknown[] =>
  lines.flatMap(({ fields }) => ('pauseMs' in fields ? [fields['pauseMs']] : []));
const state = (): Readonly<Record<string, unknown>> =>
  // Written by the supervisor.
  JSON.parse(readFileSync(join(directory.path, 'service', 'state.json'), 'utf8')) as Record<string, unknown>;

describe('the supervisor', () => {
  it('doubles its pause with each failure up to a minute, never gives up, and tells the last words', async () => {
    const supervisor = await start('echo "error: no such database" >&2; exit 3');
    await waitFor(() => pauses().length >= 10, { timeoutMs: 30_000, why: 'ten failures' });
    expect(pauses().slice(0, 10)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    await waitFor(() => state()['phase'] === 'waiting', { timeoutMs: 10_000, why: 'it waits' });
    expect(state()).toMatchObject({ note: 'no such database', lastExit: { exitCode: 3, words: 'no such database' } });
    supervisor.stop();
    await supervisor.ended;
    expect(state()).toMatchObject({ phase: 'stopped', server: null });
  });

  it('begins with the short pause again after a healthy time', async () => {
    const supervisor = await start('sleep 0.9');
    // The pause is told before the state is written.
    await waitFor(() => pauses().length >= 3 && Number(state()['restartCount']) >= 3, {
      timeoutMs: 30_000,
      why: 'three restarts',
    });
    expect(pauses().slice(0, 3)).toEqual([500, 500, 500]);
    supervisor.stop();
    await supervisor.ended;
  });

  it('starts at once, out of a long pause, when a restart is asked for', async () => {
    const supervisor = await start('exit 1');
    await waitFor(() => pauses().length >= 8, { timeoutMs: 30_000, why: 'it pauses for a minute' });
    const count = pauses().length;
    supervisor.restart();
    await waitFor(() => pauses().length > count, { timeoutMs: 30_000, why: 'it tried again' });
    supervisor.stop();
    await supervisor.ended;
    expect(pauses().length).toBeGreaterThan(count);
  });

  it('is the only one of its data directory', async () => {
    const supervisor = await start('exec sleep 60');
    await expect(start('exec sleep 60')).rejects.toMatchObject({ code: 'data_dir.owned' });
    supervisor.stop();
    await supervisor.ended;
    const next = await start('exec sleep 60');
    next.stop();
    await next.ended;
  });

  it('bounds the log: what is over 8 MiB goes to a second file, and writing goes on', async () => {
    const supervisor = await start(
      'yes "a line of the log that is written without an end" | head -c 12000000; exec sleep 60',
    );
    const log = join(directory.path, 'service', 'orchestrator.log');
    await waitFor(() => sizeOf(`${log}.1`) > 8_388_608 && sizeOf(log) < 8_388_608, {
      timeoutMs: 30_000,
      why: 'the log was cut',
    });
    supervisor.stop();
    await supervisor.ended;
    expect(sizeOf(log) + sizeOf(`${log}.1`)).toBeLessThan(2 * 12_000_000);
  });
});

function sizeOf(path: string): number {
  try {
    return readFileSync(path).byteLength;
  } catch {
    // Not there yet.
    return 0;
  }
}
