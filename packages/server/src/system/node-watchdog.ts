/**
 * The watchdog as a thread of its own: it shares a counter with the main thread and looks at it once per check. Checks
 * are counted, not the clock: a process that was stopped as a whole (SIGSTOP, a sleeping machine) gets its time back.
 */
import { Worker } from 'node:worker_threads';
import type { Watchdog } from '../ports/watchdog.ts';

/** The process has gone this long without a turn when it is ended (safety L5). */
export const WATCHDOG_LIMIT_MS = 60_000;
/** Checks until the limit; more of them make it more exact. */
const CHECKS = 30;

/** Cells that both threads see. */
const FED = 0;
const STOPPED = 1;

/**
 * Run by the thread, and text because it is on its own: no bundler and no loader has to know it. It waits on a cell that
 * changes only when the watchdog is stopped. SIGKILL is the one end that a blocked main thread cannot hold up.
 */
const THREAD = `
  const { workerData: { cells, checkMs, checks, limitMs } } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  let seen = -1;
  let missed = 0;
  while (Atomics.wait(cells, ${STOPPED}, 0, checkMs) === 'timed-out') {
    const fed = Atomics.load(cells, ${FED});
    missed = fed === seen ? missed + 1 : 0;
    seen = fed;
    if (missed < checks) continue;
    const msg = 'the worker made no progress for ' + limitMs + ' ms; the process ends, and another takes over';
    writeSync(2, JSON.stringify({ level: 'fatal', time: new Date().toISOString(), code: 'worker.no_progress', msg }) + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }
`;

export function startNodeWatchdog(limitMs: number = WATCHDOG_LIMIT_MS): Watchdog {
  const cells = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const workerData = { cells, checks: CHECKS, checkMs: limitMs / CHECKS, limitMs };
  const thread = new Worker(THREAD, { eval: true, workerData, execArgv: [] });
  // It alone keeps no process alive.
  thread.unref();
  return {
    feed: () => void Atomics.add(cells, FED, 1),
    stop() {
      Atomics.store(cells, STOPPED, 1);
      Atomics.notify(cells, STOPPED);
    },
  };
}
