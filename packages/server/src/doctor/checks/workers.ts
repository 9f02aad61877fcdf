/** Whether somebody lives who moves promotions, and whether the dead have left anything. */
import { formatDuration } from '@stella/domain';
import type { WorkerRow } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, passed } from '../check.ts';

/** A worker renews every 5 s, stops by itself after 10 s and is dead after 15 s. */
const HEARTBEAT_AGE_MS_MAX = 8_000;

const RESTART = 'stella service restart orchestrator';

export const workers: Check = {
  id: 'check.orchestrator.workers',
  title: 'Workers live',
  why: 'without a live worker no promotion moves; a dead one that still holds promotions was not taken over',
  async look({ reads, settings, about }) {
    const [rows, { databaseNowMs }] = await Promise.all([
      reads.listWorkers(),
      reads.readFacts(settings['stuck.after']),
    ]);
    return judge(rows, databaseNowMs, about.version);
  },
};

function judge(rows: readonly WorkerRow[], nowMs: number, version: string): CheckFinding {
  const live = rows.filter(({ state, leaseUntilMs }) => state === 'live' && leaseUntilMs > nowMs);
  const orphaning = rows.filter((row) => !live.includes(row) && row.claimCount > 0);
  const facts = [...live, ...orphaning].map((row) => describe(row, live.includes(row), nowMs));
  const [orphan] = orphaning;
  if (live.length === 0) {
    const remedy = { text: 'start it on its machine', command: RESTART };
    return { status: 'fail', message: 'no worker lives', facts, remedy };
  }
  if (orphan) {
    const remedy = { text: 'nobody took its promotions over: restart the one that should', command: RESTART };
    return { status: 'warn', message: `${orphan.id} is dead and holds ${orphan.claimCount}`, facts, remedy };
  }
  const late = live.find(({ heartbeatAtMs }) => nowMs - heartbeatAtMs > HEARTBEAT_AGE_MS_MAX);
  if (late) {
    const text = `look at ${late.hostname} and at the database: one of them is slow`;
    const remedy = { text, command: 'stella doctor --check check.storage.postgres' };
    return { status: 'warn', message: `${late.id} on ${late.hostname} renews late`, facts, remedy };
  }
  const other = live.find((row) => row.version !== version);
  if (other) {
    const text = `finish the upgrade on ${other.hostname}, then restart it there`;
    const message = `${other.id} runs ${other.version}, this server ${version}`;
    return { status: 'warn', message, facts, remedy: { text, command: RESTART } };
  }
  return passed(`${live.length} live`, facts);
}

function describe(
  { id, hostname, version, heartbeatAtMs, claimCount }: WorkerRow,
  isLive: boolean,
  nowMs: number,
): CheckFact {
  const age = formatDuration(Math.max(0, nowMs - heartbeatAtMs));
  const state = isLive ? 'live' : 'dead';
  return { what: id, value: `${state} on ${hostname}, ${version}, heartbeat ${age} ago, holds ${claimCount}` };
}
