/** Whether every promotion that works makes progress: the runbook's first question. */
import { formatDuration } from '@stella/domain';
import type { StalledPromotion } from '../../ports/diagnoser.ts';
import type { OrchestratorFacts } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, passed } from '../check.ts';

/** Stalled promotions that are named one by one. */
const NAMED_MAX = 20;

/** Due work is claimed within a second; a takeover may last 20 s (safety L2). */
const DUE_AGE_MS_MAX = 30_000;

export const jobHealth: Check = {
  id: 'check.orchestrator.job-health',
  title: 'Promotions make progress',
  why: 'a promotion in progress without progress holds back an environment, and breaks the objective at 30 minutes',
  async look({ reads, diagnoser, settings }) {
    const [facts, stalled] = await Promise.all([
      reads.readFacts(settings['stuck.after']),
      diagnoser.diagnoseStalled(NAMED_MAX),
    ]);
    return judge(facts, stalled);
  },
};

function judge(facts: OrchestratorFacts, stalled: readonly StalledPromotion[]): CheckFinding {
  const inProgressCount = facts.promotionsByStatus.in_progress ?? 0;
  const counts: CheckFact[] = [
    { what: 'in progress', value: String(inProgressCount) },
    { what: 'set aside', value: String(facts.setAsideCount) },
  ];
  const [first] = stalled;
  if (first) {
    const named = stalled.map(({ promotionId, environment, sinceProgressMs, summary }) => ({
      what: promotionId,
      value: `into ${environment}, no progress for ${formatDuration(wholeSeconds(sinceProgressMs))}: ${summary}`,
    }));
    const remedy = { text: 'see its cause and its cure', command: `stella promotion diagnose ${first.promotionId}` };
    return { status: 'fail', message: `${facts.stalledCount} stalled`, facts: [...named, ...counts], remedy };
  }
  const dueMs = facts.oldestDueAtMs === null ? 0 : facts.databaseNowMs - facts.oldestDueAtMs;
  if (dueMs > DUE_AGE_MS_MAX) {
    const due = { what: 'oldest due and unclaimed', value: formatDuration(wholeSeconds(dueMs)) };
    const remedy = { text: 'see whether workers live', command: 'stella doctor --check check.orchestrator.workers' };
    return { status: 'fail', message: 'due promotions are not claimed', facts: [due, ...counts], remedy };
  }
  if (facts.setAsideCount > 0) {
    const remedy = { text: 'see which, and why', command: 'stella promotion list --status in_progress' };
    return { status: 'fail', message: `${facts.setAsideCount} that no worker can move`, facts: counts, remedy };
  }
  return passed(`${inProgressCount} in progress, none stalled`, counts);
}

function wholeSeconds(durationMs: number): number {
  return Math.floor(durationMs / 1_000) * 1_000;
}
