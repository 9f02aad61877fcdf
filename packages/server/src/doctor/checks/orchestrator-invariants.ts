/** Whether the rules of safety and liveness hold for what is stored, now and as of the last whole sweep. */
import { formatDuration } from '@stella/domain';
import type { AuditFacts } from '../../ports/audit-store.ts';
import type { Check, CheckFact, CheckFinding } from '../check.ts';

/** Broken rows that are named one by one. */
const NAMED_MAX = 20;

export const orchestratorInvariants: Check = {
  id: 'check.orchestrator.invariants',
  title: 'Rules of safety and liveness',
  why: 'a row that breaks one means that a promise of the engine does not hold: see docs/safety.md',
  async look({ audit }) {
    const [found, facts] = await Promise.all([audit.look(), audit.readFacts()]);
    const named = new Map(
      [...found, ...facts.known].map(({ rule, subject, message }) => [`${rule} ${subject}`, message]),
    );
    return judge(named, facts);
  },
};

function judge(named: ReadonlyMap<string, string>, facts: AuditFacts): CheckFinding {
  const age = ageOf(facts);
  const shown: CheckFact[] = [...named].slice(0, NAMED_MAX).map(([what, value]) => ({ what, value }));
  const sweep = { what: 'last whole sweep', value: age };
  if (named.size === 0) {
    return { status: 'pass', message: '0 rows break a rule', facts: [sweep], remedy: null };
  }
  return {
    status: 'fail',
    message: `${named.size} rows break a rule`,
    facts: [...shown, sweep],
    remedy: {
      text: 'keep the database as it is, look at what happened to the promotion, and report it with both',
      command: commandFor([...named.keys()]),
    },
  };
}

function ageOf({ nowMs, sweepEndedAtMs }: AuditFacts): string {
  return sweepEndedAtMs === null ? 'not yet' : `${formatDuration(Math.max(0, nowMs - sweepEndedAtMs))} ago`;
}

/** The first promotion that is named, or whose operation is. */
function commandFor(names: readonly string[]): string {
  const id = names.map((name) => /prm_[0-9a-f]+/.exec(name)?.[0]).find((found) => found !== undefined);
  return id === undefined ? 'stella orch status' : `stella promotion trace ${id}`;
}
