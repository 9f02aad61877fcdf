/** Whether this server's clock agrees with the database's, which decides. */
import { type Check, type CheckFinding, passed } from '../check.ts';

const SKEW_MS_WARN = 1_000;
const SKEW_MS_FAIL = 5_000;

export const clock: Check = {
  id: 'check.orchestrator.clock',
  title: 'Clocks agree',
  why: "deadlines and leases go by the database's clock; a wrong one here makes logs lie, and tokens and certificates fail",
  async look({ reads, settings, clock: own }) {
    const askedMs = own.monotonicMs();
    const { database } = await reads.readMonitoring(settings['stuck.after'], { stalledCount: 1, workerCount: 1 });
    const tookMs = own.monotonicMs() - askedMs;
    // The database read its clock somewhere within the round trip.
    return judge(own.nowMs() - tookMs / 2 - database.nowMs, tookMs / 2);
  },
};

function judge(skewMs: number, uncertainMs: number): CheckFinding {
  const awayMs = Math.max(0, Math.abs(skewMs) - uncertainMs);
  const direction = skewMs > 0 ? 'ahead' : 'behind';
  const facts = [
    { what: 'this server', value: `${Math.round(Math.abs(skewMs))} ms ${direction}, ± ${Math.ceil(uncertainMs)} ms` },
  ];
  if (awayMs <= SKEW_MS_WARN) return passed('within a second of the database', facts);
  const message = `${(awayMs / 1_000).toFixed(1)} s ${direction} of the database`;
  const remedy = { text: 'set the time of this machine, and let a time service keep it', command: null };
  return { status: awayMs > SKEW_MS_FAIL ? 'fail' : 'warn', message, facts, remedy };
}
