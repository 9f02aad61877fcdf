/** What processes of this machine have used, out of /proc. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the counters in /proc; Linux has had no other for decades. */
const TICKS_PER_SECOND = 100;

/** User and system time of the processes, their own and that of children which ended. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const ticks = await Promise.all(pids.map(ticksOf));
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}

/** The postmaster of a data directory and its backends. */
export async function postgresPidsOf(dataDir: string): Promise<readonly number[]> {
  const postmaster = Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
  return [postmaster, ...(await childrenOf(postmaster))];
}

/** Resident memory in MB: now, and the most that it ever was. */
export async function memoryOf(pid: number): Promise<{ readonly rssMb: number; readonly peakMb: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return {
    rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024,
    peakMb: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1_024,
  };
}

async function childrenOf(parent: number): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(pids.map(async (pid) => Number((await statOf(pid))[1] ?? -1)));
  return pids.filter((_pid, index) => parents[index] === parent);
}

async function ticksOf(pid: number): Promise<number> {
  const fields = await statOf(pid);
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0);
}

/** Fields of /proc/<pid>/stat after the name, which may hold anything; empty when the process has gone. */
async function statOf(pid: number): Promise<readonly string[]> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    // It ended since it was listed.
    return [];
  }
}
