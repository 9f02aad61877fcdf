/** An open gate with attempts, as it stands: what was asked, what came of it, what a probe and earlier calls say. */
import type { GateDefinition } from '../environment/environment-definition.ts';
import { currentGateRuns, isHeld as isHeldRun, isSettled } from '../promotion/decide/gate-runs.ts';
import type { Attempt, GateRun } from '../promotion/promotion.ts';
import { withGateSettings } from '../settings/gate-settings.ts';
import type { CaseView } from './case-view.ts';
import type { GateCall } from './diagnosis-snapshot.ts';
import type { ProbeReport } from './probe-report.ts';
import type { AttemptTiming } from './time-budget.ts';

/** A gate that is tried again after its first slip is not in trouble; after so many in a row it is. */
const SLIPS_MIN = 2;
/** A probe from before the trouble says nothing about it; one from so short before it may. */
const PROBE_LEAD_MS = 5 * 60_000;

export type TimedGate = Extract<GateDefinition, AttemptTiming>;

export interface GateLook {
  readonly gate: TimedGate;
  readonly run: GateRun;
  readonly isHeld: boolean;
  readonly open: Attempt | null;
  /** The last ones without a verdict, oldest first. */
  readonly slips: readonly Attempt[];
  /** Of the time of these attempts; null: none, or older. */
  readonly probe: ProbeReport | null;
  readonly calls: readonly GateCall[];
}

/** Open gates that were asked and gave no verdict, often or long enough to call it a trouble. */
export function troubledGates(view: CaseView): GateLook[] {
  return lookAtGates(view).filter(
    ({ isHeld, slips, open }) =>
      isHeld || slips.length >= SLIPS_MIN || (view.isStalled && (slips.length > 0 || open !== null)),
  );
}

/** Open gates with attempts, as they are timed now; of an ended promotion those that it ended with. */
export function lookAtGates(view: CaseView): GateLook[] {
  const { promotion, settings, attempts } = view.snapshot;
  if (promotion.step !== 'evaluate_gates') return [];
  return currentGateRuns(view.snapshot).flatMap((run): GateLook[] => {
    const declared = promotion.definition.gates.find((gate) => gate.name === run.gate);
    if (!declared || isSettled(run)) return [];
    const gate = withGateSettings(declared, promotion.environment, settings);
    if (!('timeoutMs' in gate)) return [];
    const own = attempts.filter((attempt) => attempt.gateRunId === run.id);
    const slips = slipsOf(own);
    const first = slips[0] ?? own.at(-1);
    return [
      {
        gate,
        run,
        isHeld: isHeldRun(run),
        open: own.find((attempt) => attempt.result === null) ?? null,
        slips,
        probe: probeOf(view, run.gate, first?.startedAtMs ?? view.nowMs),
        calls: view.whole.gateCalls.filter((call) => call.gate === run.gate),
      },
    ];
  });
}

function slipsOf(attempts: readonly Attempt[]): Attempt[] {
  const ended = attempts.filter((attempt) => attempt.result !== null);
  const lastVerdict = ended.findLastIndex(({ result }) => result?.outcome !== 'timeout' && result?.outcome !== 'error');
  return ended.slice(lastVerdict + 1);
}

function probeOf({ whole, snapshot }: CaseView, gate: string, sinceMs: number): ProbeReport | null {
  const { environment } = snapshot.promotion;
  const found = whole.probes.find(
    ({ subject }) => subject.kind === 'gate' && subject.environment === environment && subject.name === gate,
  );
  return found && found.atMs >= sinceMs - PROBE_LEAD_MS ? found : null;
}
