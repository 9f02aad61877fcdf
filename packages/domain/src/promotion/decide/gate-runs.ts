/** The gate runs of a promotion as a whole: which is current, which is settled, and the opening of new rounds. */
import { isPlanted } from '../../planted-bugs.ts';
import type { GateDefinition } from '../../environment/environment-definition.ts';
import { gateMeaningHash, hasAttempts } from '../../environment/environment-definition.ts';
import { FREEZE_GATE, gateNamed } from '../../environment/freeze.ts';
import { withGateSettings } from '../../settings/gate-settings.ts';
import type { GateRun } from '../promotion.ts';
import type { PromotionSnapshot } from '../snapshot.ts';
import { addEvent, type Draft, noteProgress } from './draft.ts';

/** Rounds opened because a verdict expired; a changed base or a lapsed skip is not counted. */
export const GATE_ROUNDS_MAX = 3;

/** The newest round of each gate, in the order of the definition; last the one that a freeze has added. */
export function currentGateRuns({ promotion, gateRuns }: Pick<PromotionSnapshot, 'promotion' | 'gateRuns'>): GateRun[] {
  const names = [...promotion.definition.gates.map((gate) => gate.name), FREEZE_GATE.name];
  return [...new Set(names)].flatMap((name) => {
    const runs = gateRuns.filter((run) => run.gate === name);
    const newest = runs.sort((a, b) => a.round - b.round).at(-1);
    return newest ? [newest] : [];
  });
}

/** A verdict was given, or the gate was stepped around. */
export function isSettled(run: GateRun): boolean {
  return run.state === 'passed' || run.state === 'failed' || run.state === 'skipped';
}

/** Its attempts are used up without a verdict, and people may still act. */
export function isHeld(run: GateRun): boolean {
  return run.heldUntilMs !== null && (run.state === 'timeout' || run.state === 'error');
}

export function updateGateRun(draft: Draft, run: GateRun, patch: Partial<GateRun>): GateRun {
  const next = { ...run, ...patch };
  draft.gateRuns = draft.gateRuns.map((other) => (other.id === run.id ? next : other));
  return next;
}

/** A verdict is set once (safety S7): a run that has one is left as it is. */
export function setVerdict(draft: Draft, run: GateRun, verdict: 'passed' | 'failed', message: string): void {
  if (run.verdict !== null) return;
  const { nowMs } = draft.context;
  const validForMs = definitionOf(draft, run)?.validForMs ?? 0;
  updateGateRun(draft, run, {
    state: verdict,
    verdict,
    verdictAtMs: nowMs,
    validUntilMs: verdict === 'passed' ? nowMs + validForMs : null,
    heldUntilMs: null,
    nextAttemptAtMs: null,
    message,
  });
  noteProgress(draft);
  addEvent(draft, 'gate.verdict', { gate: run.gate, round: run.round, verdict, message }, run.gate);
}

/** As it is timed now; null when the frozen definition has no such gate. */
export function definitionOf(draft: Draft, run: GateRun): GateDefinition | null {
  const declared = gateNamed(draft.promotion.definition, run.gate);
  return declared ? timedNow(draft, declared) : null;
}

function timedNow({ promotion, snapshot }: Draft, gate: GateDefinition): GateDefinition {
  return withGateSettings(gate, promotion.environment, snapshot.settings);
}

/** What was said about the gate no longer counts: it is asked again, in a round of its own. */
export function openNextRound(draft: Draft, run: GateRun, reason: string): void {
  const gate = definitionOf(draft, run);
  if (!gate) return;
  if (isPlanted('gate.verdict_overwritten')) {
    updateGateRun(draft, run, { state: 'pending', verdict: null, verdictAtMs: null, validUntilMs: null });
    return;
  }
  updateGateRun(draft, run, { state: 'expired', message: reason });
  addEvent(draft, 'gate.expired', { gate: run.gate, round: run.round, reason }, run.gate);
  openGateRun(draft, gate);
}

/** A new round of one gate; the first when there was none. */
export function openGateRun(draft: Draft, declared: GateDefinition): GateRun {
  const { nowMs, ids } = draft.context;
  const gate = timedNow(draft, declared);
  const round = draft.gateRuns.filter((run) => run.gate === gate.name).length + 1;
  const isAsked = hasAttempts(gate);
  const run: GateRun = {
    id: ids.next('gtr'),
    gate: gate.name,
    kind: gate.kind,
    meaningHash: gateMeaningHash(gate),
    round,
    state: isAsked ? 'pending' : 'waiting',
    attemptCount: 0,
    attemptLimit: hasAttempts(gate) ? 1 + gate.retryCount : 1,
    nextAttemptAtMs: isAsked ? nowMs : null,
    deadlineAtMs: hasAttempts(gate) ? null : nowMs + gate.deadlineMs,
    heldUntilMs: null,
    verdict: null,
    verdictAtMs: null,
    validUntilMs: null,
    dueAtMs: null,
    startedAtMs: nowMs,
    message: '',
  };
  draft.gateRuns.push(run);
  addEvent(draft, 'gate.opened', { gate: gate.name, kind: gate.kind, round }, gate.name);
  return run;
}
