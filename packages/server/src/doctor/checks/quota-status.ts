/** Whether promotions wait because a quota of their environment is used up. */
import { quotaStandings } from '@stella/domain';
import type { QuotaRow } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, passed } from '../check.ts';

export const quotaStatus: Check = {
  id: 'check.orchestrator.quota-status',
  title: 'Quotas leave room',
  why: 'who meets a quota that is used up waits for the next hour or day',
  async look({ reads }) {
    return judge(await reads.listQuotas(null));
  },
};

function judge(rows: readonly QuotaRow[]): CheckFinding {
  const limited = rows.filter(({ use }) => use !== null);
  const waiting = limited.filter((row) => waitingCount(row) > 0);
  const [first] = waiting;
  if (!first) return passed(`${limited.length} environments have a quota, nobody waits for one`);
  const total = waiting.reduce((sum, row) => sum + waitingCount(row), 0);
  return {
    status: 'warn',
    message: `${total} wait for a quota`,
    facts: waiting.map(describe),
    remedy: { text: 'see what is used and who asked', command: `stella orch quota status --env ${first.environment}` },
  };
}

function waitingCount({ waiting }: QuotaRow): number {
  return Object.values(waiting).reduce((sum, count) => sum + count, 0);
}

function describe(row: QuotaRow): CheckFact {
  const standings = row.use ? quotaStandings(row.use, row.nowMs) : [];
  const used = standings.map(({ name, used: count, limit }) => `${name} ${count} of ${limit}`).join(', ');
  return { what: row.environment, value: `${waitingCount(row)} wait; ${used}` };
}
