/** Whether every lock has somebody who works for it, and lets go in time. */
import { formatDuration } from '@stella/domain';
import type { LockRow } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, passed } from '../check.ts';

/** Preflight, deploy, verify and rollback hold a lock, each within its deadline; together far less than this. */
const AGE_MS_MAX = 45 * 60_000;

export const locks: Check = {
  id: 'check.orchestrator.locks',
  title: 'Locks are let go',
  why: 'a lock that nobody works for holds back everything that wants its environment',
  async look({ reads, settings }) {
    const [rows, { databaseNowMs }] = await Promise.all([
      reads.listLocks(null),
      reads.readFacts(settings['stuck.after']),
    ]);
    const exclusive = rows.filter(({ mode }) => mode === 'exclusive');
    return judge(exclusive, databaseNowMs);
  },
};

function judge(rows: readonly LockRow[], nowMs: number): CheckFinding {
  const stale = rows.filter(({ isStale }) => isStale);
  const old = rows.filter(({ acquiredAtMs }) => nowMs - acquiredAtMs > AGE_MS_MAX);
  const facts = [...new Set([...stale, ...old])].map((row) => describe(row, nowMs));
  const [first] = stale;
  if (first) {
    const text = 'let it go; its targets are sealed against the holder';
    const remedy = { text, command: `stella orch locks release ${first.id} --force` };
    return { status: 'fail', message: `${stale.length} stale`, facts, remedy };
  }
  const [oldest] = old;
  if (oldest) {
    const text = 'see what its holder waits for';
    const remedy = { text, command: `stella promotion diagnose ${oldest.promotionId}` };
    const message = `${old.length} held for longer than ${formatDuration(AGE_MS_MAX)}`;
    return { status: 'warn', message, facts, remedy };
  }
  return passed(`${rows.length} live, none stale`);
}

function describe(
  { id, resource, promotionId, step, isStale, waiters, acquiredAtMs }: LockRow,
  nowMs: number,
): CheckFact {
  const age = formatDuration(Math.max(0, nowMs - acquiredAtMs));
  const value = `${resource} held by ${promotionId} in ${step} for ${age}, ${waiters.length} wait`;
  return { what: id, value: isStale ? `stale: ${value}` : value };
}
