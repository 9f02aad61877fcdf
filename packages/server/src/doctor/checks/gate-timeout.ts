/** Whether the services behind gates answer in time. */
import { formatDuration, hasAttempts } from '@stella/domain';
import type { EnvironmentRow, GateStats, ReadStore } from '../../ports/read-store.ts';
import { type Check, type CheckFact, type CheckFinding, passed } from '../check.ts';

const WINDOW_MS = 3_600_000;
/** A gate with fewer attempts says nothing about its service yet. */
const ATTEMPTS_MIN = 3;
const TIMEOUT_RATE_WARN = 0.2;
const TIMEOUT_RATE_FAIL = 0.8;
/** Names of gates that are looked at, one statement each. */
const GATES_MAX = 100;

export const gateTimeout: Check = {
  id: 'check.orchestrator.gate-timeout',
  title: 'Gates answer in time',
  why: 'a promotion is held at a gate that does not answer, and fails after an hour',
  async look({ reads }, signal) {
    const names = gateNames(await reads.listEnvironments());
    return judge(await readStats(reads, names.slice(0, GATES_MAX), signal));
  },
};

function gateNames(environments: readonly EnvironmentRow[]): readonly string[] {
  const asked = environments.flatMap(({ definition }) => definition.gates.filter(hasAttempts));
  return [...new Set(asked.map(({ name }) => name))];
}

/** One after another: the pool is for promotions. */
async function readStats(
  reads: Pick<ReadStore, 'readGateStats'>,
  gates: readonly string[],
  signal: AbortSignal,
): Promise<readonly GateStats[]> {
  const found: GateStats[] = [];
  for (const gate of gates) {
    if (signal.aborted) break;
    found.push(...(await reads.readGateStats({ gate, environment: null, lastMs: WINDOW_MS })));
  }
  return found;
}

function judge(all: readonly GateStats[]): CheckFinding {
  const late = all
    .filter((one) => one.attemptCount >= ATTEMPTS_MIN && timeoutRate(one) >= TIMEOUT_RATE_WARN)
    .toSorted((a, b) => timeoutRate(b) - timeoutRate(a));
  const [worst] = late;
  if (!worst) return passed(`${all.length} gates were asked in the last hour, and answer in time`);
  const command = `stella orch connectivity --gate ${worst.gate}`;
  return {
    status: timeoutRate(worst) >= TIMEOUT_RATE_FAIL ? 'fail' : 'warn',
    message: `${worst.gate} of ${worst.environment} ran out of time in ${percent(worst)} of its attempts`,
    facts: late.map(describe),
    remedy: { text: 'see whether it can be reached, and how long it takes', command },
  };
}

/** Of those that have ended. */
function timeoutRate({ timeoutCount, attemptCount, openCount }: GateStats): number {
  return timeoutCount / Math.max(1, attemptCount - openCount);
}

function percent(stats: GateStats): string {
  return `${Math.round(timeoutRate(stats) * 100)} %`;
}

function describe(stats: GateStats): CheckFact {
  const { environment, gate, timeoutCount, attemptCount, p95Ms } = stats;
  const p95 = p95Ms === null ? '' : `, p95 ${formatDuration(Math.round(p95Ms))}`;
  return { what: `${environment}/${gate}`, value: `${timeoutCount} of ${attemptCount} ran out of time${p95}` };
}
