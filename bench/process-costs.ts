/** What processes of this machine have used, out of /proc. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the counters in /proc; Linux has had no other for decades. */
const TICKS_PER_SECOND = 100;

/** User and system time of the processes, their own and that of children which ended. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(pids.map(cpuTimesOf));
  return times.reduce((sum, { ownSeconds, childrenSeconds }) => sum + ownSeconds + childrenSeconds, 0);
}

/** Of the process itself, and of its children that have ended, with theirs. */
export async function cpuTimesOf(
  pid: number,
): Promise<{ readonly ownSeconds: number; readonly childrenSeconds: number }> {
  const fields = await statOf(pid);
  const secondsIn = (places: readonly number[]): number =>
    places.reduce((sum, place) => sum + Number(fields[place] ?? 0), 0) / TICKS_PER_SECOND;
  return { ownSeconds: secondsIn([11, 12]), childrenSeconds: secondsIn([13, 14]) };
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
