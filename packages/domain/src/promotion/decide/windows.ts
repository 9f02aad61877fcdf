/**
 * Windows at work: a run waits until its window opens, and one that passed counts only while the window stays open. What
 * is frozen is read live, at the gates and again with the right to deploy (`obstacles.ts`); the weekly times are those
 * of the promotion's own definition.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { WindowGateDefinition } from '../../environment/environment-definition.ts';
import { FREEZE_GATE, hasWindow } from '../../environment/freeze.ts';
import { lookAtWindow, type WindowStanding } from '../../environment/window.ts';
import type { GateRun } from '../promotion.ts';
import { type Draft, wakeAt } from './draft.ts';
import { currentGateRuns, definitionOf, openGateRun, openNextRound, setVerdict, updateGateRun } from './gate-runs.ts';

/** How a round ends whose window closed before the deploy; not counted among those that expired. */
export const WINDOW_CLOSED = 'window_closed';

/** A frozen one looks again this often by itself; the end of a freeze wakes it at once, whoever has it then (`owed-wakes.ts`). */
const FROZEN_RECHECK_MS = 5 * 60_000;

/** How the window of a run stands; null when the run is of another kind. */
export function windowOf(draft: Draft, run: GateRun): WindowStanding | null {
  const gate = run.kind === 'window' ? definitionOf(draft, run) : null;
  return gate?.kind === 'window' ? lookAtWindow(gate, draft.environment, draft.context.nowMs) : null;
}

/** The environment is frozen, and no gate of the promotion minds it: it gets one. */
export function lacksFreezeGate(draft: Draft): boolean {
  if (hasWindow(draft.promotion.definition)) return false;
  if (currentGateRuns(draft).some((run) => run.gate === FREEZE_GATE.name)) return false;
  return !lookAtWindow(FREEZE_GATE, draft.environment, draft.context.nowMs).isOpen;
}

/** At the gates: what passed and has closed is asked again at once, so that everybody sees why nothing goes on. */
export function watchWindows(draft: Draft): void {
  if (lacksFreezeGate(draft)) openGateRun(draft, FREEZE_GATE);
  for (const run of currentGateRuns(draft)) {
    const standing = run.verdict === 'passed' ? windowOf(draft, run) : null;
    if (standing?.isOpen === false) openNextRound(draft, run, WINDOW_CLOSED);
    else if (standing && standing.changesAtMs !== null) wakeAt(draft, standing.changesAtMs);
  }
}

/** True when it passed; else it waits until it opens. */
export function passWindow(draft: Draft, gate: WindowGateDefinition, run: GateRun): boolean {
  const { isOpen, changesAtMs, frozenAtMs, message } = lookAtWindow(gate, draft.environment, draft.context.nowMs);
  if (isOpen || isPlanted('window.not_waited')) {
    setVerdict(draft, run, 'passed', message);
    if (changesAtMs !== null) wakeAt(draft, changesAtMs);
    return true;
  }
  if (run.dueAtMs !== changesAtMs || run.message !== message)
    updateGateRun(draft, run, { dueAtMs: changesAtMs, message });
  if (changesAtMs !== null) wakeAt(draft, changesAtMs);
  if (changesAtMs === null || frozenAtMs !== null) wakeAt(draft, draft.context.nowMs + FROZEN_RECHECK_MS);
  return false;
}
