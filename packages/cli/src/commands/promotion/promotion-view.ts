/** One promotion as `status` prints it: what it is, where it stands, what it waits for, what may be done. */
import type { Answer } from '@stella/contract/client';
import { textView, type View } from '../../view.ts';
import { type Diagnosis, field, statusLines } from './diagnosis-view.ts';
import { ageOf, relativeTo, shortDuration } from '../show-age.ts';

type Promotion = Answer<'getPromotion'>;
type GateRun = Promotion['gates'][number];

const LABEL_WIDTH = 11;

export function promotionView(promotion: Promotion): View {
  return textView({ name: promotion.id, data: promotion, text: () => describePromotion(promotion) });
}

/** With its first causes; a text instead of a diagnosis says why there is none. */
export function statusView(promotion: Promotion, diagnosis: Diagnosis | string): View {
  const data = typeof diagnosis === 'string' ? promotion : { ...promotion, diagnosis };
  const causes = (): readonly string[] =>
    typeof diagnosis === 'string' ? [line('Cause', `not known: ${diagnosis}`)] : statusLines(diagnosis);
  return textView({ name: promotion.id, data, text: () => describePromotion(promotion, causes()) });
}

/** Ages are told by the server's clock, which is the one that counts. */
export function describePromotion(promotion: Promotion, causes: readonly string[] = []): string {
  const nowMs = Date.parse(promotion.now);
  const { release, environment, ending } = promotion;
  const lines = [
    line('Promotion', promotion.id),
    line('', `${release.name} → ${environment}${promotion.base ? `, over ${promotion.base.name}` : ''}`),
    ...kindOf(promotion),
    line('Status', `${promotion.status}${stallOf(promotion, nowMs)}`),
    line('Step', stepOf(promotion)),
    ...setAsideOf(promotion, nowMs),
    ...targetsOf(promotion),
    ...waitsOf(promotion, nowMs),
    ...stopOf(promotion, nowMs),
    ...causes,
    ...skipsOf(promotion, nowMs),
    ...debtsOf(promotion, nowMs),
    ...(ending ? field('Ended', `${ending.code}: ${ending.message}`) : []),
    ...promotion.components.map(({ name, digest }) => line('Artifact', `${name} ${digest}`)),
    line('Asked', `by ${promotion.requestedBy.name} ${relativeTo(nowMs, promotion.createdAt)}`),
    line('Progress', `last ${relativeTo(nowMs, promotion.lastProgressAt)} (${promotion.lastProgressAt})`),
    ...(promotion.retryOf === null ? [] : [line('Retry of', promotion.retryOf)]),
    ...promotion.possible.map((command, index) => line(index === 0 ? 'Possible' : '', command)),
  ];
  return lines.join('\n');
}

/** Said where it is not the usual way through the pipeline. */
function kindOf({ kind, isForced, base, release }: Promotion): string[] {
  // The base of an environment that is not whole may be what is brought back.
  const isTaken = base !== null && base.id !== release.id;
  if (kind === 'rollback') return [line('Kind', `rollback${isTaken ? `: takes ${base.name} away` : ''}`)];
  return kind === 'deploy' ? [line('Kind', `deploy${isForced ? ', forced past the predecessors' : ''}`)] : [];
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}

function stallOf({ isStalled, stallsAt, endedAt, createdAt }: Promotion, nowMs: number): string {
  if (endedAt !== null) return ` after ${shortDuration(Date.parse(endedAt) - Date.parse(createdAt))}`;
  if (stallsAt === null) return '';
  return isStalled ? `, STALLED for ${ageOf(nowMs, stallsAt)}` : '';
}

function stepOf({ step, steps, gates, endedAt }: Promotion): string {
  const run = steps.find((one) => one.step === step);
  const current = latestRounds(gates);
  const passed = current.filter((gate) => gate.verdict === 'passed').length;
  const skipped = current.filter((gate) => gate.state === 'skipped').length;
  const skips = skipped === 0 ? '' : `, ${skipped} skipped`;
  const isGating = step === 'evaluate_gates' && current.length > 0;
  const share = isGating ? `  ${passed} of ${current.length} gates passed${skips}` : '';
  const state = endedAt !== null || run?.state !== 'running' ? ` ${run?.state ?? ''}` : '';
  return `${step}${state}${share}`;
}

function setAsideOf({ setAside, nextActionAt }: Promotion, nowMs: number): string[] {
  if (setAside === null) return [];
  const again = nextActionAt === null ? '' : `, looked at again ${relativeTo(nowMs, nextActionAt)}`;
  return [
    ...field('Set aside', `${relativeTo(nowMs, setAside.at)}${again}: no worker could move it`),
    ...field('', setAside.message),
  ];
}

function stopOf({ stop, environment }: Promotion, nowMs: number): string[] {
  if (stop === null) return [];
  return [
    ...field('Stopped', `${environment} ${relativeTo(nowMs, stop.at)} (fence.behind): ${stop.message}`),
    line('Cure', stop.cure),
  ];
}

/** So many targets that are not well are named; the others are counted. */
const TARGETS_NAMED_MAX = 5;

/** From the deploy on, with several targets: how far it has come, and which of them are not well. */
function targetsOf({ targets, status }: Promotion): string[] {
  if (status === 'completed' || targets.length < 2 || targets.every((one) => one.state === 'untouched')) return [];
  const counts = new Map<string, number>();
  for (const { state } of targets) counts.set(state, (counts.get(state) ?? 0) + 1);
  const batchCount = Math.max(...targets.map((one) => one.batch));
  const current = Math.max(...targets.map((one) => (one.state === 'untouched' ? 1 : one.batch)));
  const batch = batchCount > 1 ? `batch ${current} of ${batchCount}: ` : '';
  const ill = targets.filter((one) => one.state === 'failed' || one.state === 'unclear');
  const words = { new: 'runs the new release', old: 'runs what it ran before', unknown: 'what it runs is not known' };
  return [
    ...field('Targets', `${batch}${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}`),
    ...ill
      .slice(0, TARGETS_NAMED_MAX)
      .flatMap(({ name, state, runs }) => field('', `${name} ${state}: ${words[runs]}`)),
    ...(ill.length > TARGETS_NAMED_MAX ? [line('', `and ${ill.length - TARGETS_NAMED_MAX} more`)] : []),
  ];
}

/** Open ones, and those that let it pass. */
function skipsOf({ gates, endedAt }: Promotion, nowMs: number): string[] {
  const shown = endedAt === null ? ['requested', 'approved', 'used'] : ['used'];
  return gates
    .flatMap((run) => run.skips)
    .filter((skip) => shown.includes(skip.state))
    .map((skip) => line('Skip', `gate '${skip.gate}' ${skipWords(skip, nowMs)}: ${skip.reason}`));
}

function skipWords(skip: GateRun['skips'][number], nowMs: number): string {
  const asked = `asked for by ${skip.requestedBy} ${relativeTo(nowMs, skip.requestedAt)}`;
  if (skip.state === 'requested') return `${asked}, waits for a second person`;
  const approved = `${asked}, approved by ${skip.decidedBy ?? ''}`;
  return skip.state === 'used' ? `${approved}, used` : `${approved}, counts until ${skip.expiresAt ?? ''}`;
}

function debtsOf({ debts }: Promotion, nowMs: number): string[] {
  return debts.map((debt) => line('Debt', `gate '${debt.gate}' ${debtWords(debt, nowMs)}`));
}

/** `still to pass; failed 3m ago, asked again in 7m: 2 tests failed` */
export function debtWords(debt: Promotion['debts'][number], nowMs: number): string {
  const message = debt.message === '' ? '' : `: ${debt.message}`;
  if (debt.state === 'paid') return `passed ${relativeTo(nowMs, debt.closedAt)}${message}`;
  if (debt.state === 'superseded') return `superseded ${relativeTo(nowMs, debt.closedAt)}${message}`;
  const last =
    debt.lastOutcome === null ? 'not asked yet' : `${debt.lastOutcome} ${relativeTo(nowMs, debt.lastAskedAt)}`;
  return `is still to pass; ${last}, asked again ${relativeTo(nowMs, debt.dueAt)}${message}`;
}

/** The run waits for an answer, a person or a time. */
export function isOpenGate({ verdict, state }: GateRun): boolean {
  return verdict === null && state !== 'skipped' && state !== 'expired';
}

/** The newest run of each gate. */
export function latestRounds(gates: readonly GateRun[]): readonly GateRun[] {
  return gates.filter((gate) => !gates.some((other) => other.gate === gate.gate && other.round > gate.round));
}

function waitsOf(promotion: Promotion, nowMs: number): string[] {
  if (promotion.endedAt !== null) return [];
  const open = promotion.step === 'evaluate_gates' ? latestRounds(promotion.gates).filter(isOpenGate) : [];
  if (open.length > 0)
    return open.flatMap((gate) => field('Waiting', `gate '${gate.gate}' ${waitOfGate(gate, nowMs)}`));
  const run = promotion.steps.find((one) => one.step === promotion.step);
  return run?.state === 'waiting' ? field('Waiting', run.message) : [];
}

function waitOfGate(gate: GateRun, nowMs: number): string {
  const tries = `attempt ${gate.attemptCount} of ${gate.attemptLimit}`;
  const message = gate.message === '' ? '' : `: ${gate.message}`;
  if (gate.heldUntil !== null) {
    return `held after ${tries} until ${gate.heldUntil}, then the promotion fails${message}`;
  }
  if (gate.kind === 'soak') return `soaks, due ${relativeTo(nowMs, gate.dueAt)}${message}`;
  if (gate.kind === 'window') return windowWords(gate, nowMs);
  if (gate.kind === 'dependency') return `waits for another environment, until ${gate.deadlineAt ?? ''}${message}`;
  if (gate.kind === 'approval') return `waits for a person, until ${gate.deadlineAt ?? ''}${message}`;
  if (gate.nextAttemptAt !== null) return `${tries}; next ${relativeTo(nowMs, gate.nextAttemptAt)}${message}`;
  return `${tries} runs${message}`;
}

/** `is closed, opens in 3h, until 2026-…, then the promotion fails: outside of its times (UTC); opens 2026-…` */
function windowWords({ dueAt, deadlineAt, message }: GateRun, nowMs: number): string {
  const opens = dueAt === null ? 'opens at no known time' : `opens ${relativeTo(nowMs, dueAt)}`;
  return `is closed, ${opens}: ${message}; waits until ${deadlineAt ?? ''}`;
}
