/** Gates that are asked and do not answer: why, by what the attempts, a probe and earlier calls show. */
import type { Attempt } from '../promotion/promotion.ts';
import { formatDuration } from '../values/duration.ts';
import { toRfc3339 } from '../values/instant.ts';
import { type CaseView, type FindCauses, makeCause, makeFact, wholeSeconds } from './case-view.ts';
import type { CauseCode } from './causes.ts';
import type { Cause, Confidence, Fact } from './diagnosis.ts';
import type { GateCall } from './diagnosis-snapshot.ts';
import { type GateLook, troubledGates } from './gate-look.ts';
import { mendRemedies, timingRemedies } from './gate-remedies.ts';
import { failedStage, type ProbeStageName } from './probe-report.ts';

/** What an attempt's error code says about the gate; any other is an error of the gate. */
const CAUSE_BY_CODE: Readonly<Record<string, CauseCode>> = {
  'gate.dns': 'gate.dns',
  'gate.unreachable': 'gate.unreachable',
  'gate.tls': 'gate.tls',
  'gate.address_forbidden': 'gate.misconfigured',
  'gate.secret': 'gate.misconfigured',
  'gate.program_forbidden': 'gate.misconfigured',
  'gate.program_missing': 'gate.misconfigured',
  'gate.bad_response': 'gate.bad_response',
  'gate.no_callback': 'gate.no_callback',
};

/** What a failed stage of a probe says; `answer` is told apart by whether it ran out of time. */
const CAUSE_BY_STAGE: Readonly<Partial<Record<ProbeStageName, CauseCode>>> = {
  dns: 'gate.dns',
  tcp: 'gate.unreachable',
  tls: 'gate.tls',
  path: 'gate.misconfigured',
  rights: 'gate.misconfigured',
};

/** An earlier answer that used so much of the time-out was only just in time. */
const CLOSE_SHARE = 0.9;

export const findGateCauses: FindCauses = (view) => troubledGates(view).map((look) => causeOf(view, look));

function causeOf(view: CaseView, look: GateLook): Cause {
  const { code, confidence } = classify(look);
  const isOfTime = code === 'gate.slow' || code === 'gate.timeout_too_short';
  const facts = [
    ...attemptFacts(view, look),
    ...probeFacts(look),
    ...(isOfTime ? callFacts(look) : []),
    ...standFacts(view, look),
  ];
  const remedies = isOfTime ? timingRemedies(view, look, lateAnswerMs(look)) : mendRemedies(view, look, code);
  return makeCause(view, code, { confidence, facts, remedies });
}

interface Reading {
  readonly code: CauseCode;
  readonly confidence: Confidence;
}

/** The probe counts more than the attempts where it failed before the gate could answer: it looked stage by stage. */
function classify(look: GateLook): Reading {
  const stage = look.probe ? failedStage(look.probe) : null;
  if (stage?.code === 'tcp.forbidden') return { code: 'gate.misconfigured', confidence: 'certain' };
  const byStage = stage ? CAUSE_BY_STAGE[stage.stage] : undefined;
  if (byStage !== undefined) return { code: byStage, confidence: 'certain' };
  const last = look.slips.at(-1)?.result ?? null;
  if (last?.code === 'gate.no_callback') return { code: 'gate.no_callback', confidence: 'certain' };
  // It has taken the question: that it is slow to connect or to answer is not what is waited for.
  if (look.open?.acknowledgedAtMs) return { code: 'gate.no_callback', confidence: 'likely' };
  if (last?.outcome === 'error') return { code: CAUSE_BY_CODE[last.code] ?? 'gate.erroring', confidence: 'certain' };
  const isLate = answeredMs(look.calls).some((durationMs) => durationMs >= look.gate.timeoutMs * CLOSE_SHARE);
  const isMeasured = measuredMs(look) !== null;
  if (isLate && !isMeasuredByProbe(look)) return { code: 'gate.timeout_too_short', confidence: 'certain' };
  // Without a measure it may as well be the network on the way there.
  return { code: 'gate.slow', confidence: isMeasured || last?.outcome === 'timeout' ? 'certain' : 'likely' };
}

function isMeasuredByProbe({ probe }: GateLook): boolean {
  return probe?.stages.some((stage) => stage.stage === 'answer' && stage.outcome === 'ok') ?? false;
}

function answeredMs(calls: readonly GateCall[]): number[] {
  return calls
    .filter((call) => call.outcome === 'passed' || call.outcome === 'failed')
    .map((call) => call.endedAtMs - call.startedAtMs);
}

/** How long an answer takes, as far as anybody has seen one; null: nobody has. */
function measuredMs({ probe, calls }: GateLook): number | null {
  const answer = probe?.stages.find((stage) => stage.stage === 'answer' && stage.outcome === 'ok');
  const seen = [...answeredMs(calls), ...(answer ? [answer.durationMs] : [])];
  return seen.length === 0 ? null : Math.max(...seen);
}

/** Only what is late counts for a new time-out: quick answers of better days say nothing about how long it takes now. */
function lateAnswerMs(look: GateLook): number | null {
  const answer = measuredMs(look);
  return answer !== null && answer >= look.gate.timeoutMs * CLOSE_SHARE ? answer : null;
}

function attemptFacts(view: CaseView, { run, slips, open, gate }: GateLook): Fact[] {
  const last = slips.at(-1);
  const facts: Fact[] = [];
  if (last?.result) {
    const place = `attempt ${run.attemptCount - (open ? 1 : 0)} of ${run.attemptLimit}`;
    facts.push(makeFact('attempts', `gate ${run.gate}`, `${place}: ${outcomeWords(last)}`, last.result.endedAtMs));
  }
  if (open) {
    const doing = open.acknowledgedAtMs === null ? 'asks' : 'was acknowledged and waits for its callback';
    const value = `attempt ${run.attemptCount} of ${run.attemptLimit} ${doing} for ${ageWords(view, open)} of ${formatDuration(gate.timeoutMs)}`;
    facts.push(makeFact('attempts', `gate ${run.gate}`, value, open.startedAtMs));
  }
  return facts;
}

function ageWords({ nowMs }: CaseView, { startedAtMs }: Attempt): string {
  return formatDuration(wholeSeconds(Math.max(0, nowMs - startedAtMs)));
}

function outcomeWords({ result, startedAtMs, deadlineAtMs }: Attempt): string {
  if (result?.outcome === 'timeout' && result.code !== 'gate.no_callback')
    return `no answer within ${formatDuration(deadlineAtMs - startedAtMs)}`;
  return result === null
    ? 'open'
    : `${result.message || result.outcome}${result.code === '' ? '' : ` (${result.code})`}`;
}

/** `connects in 4ms, answers after 1m35s` */
function probeFacts({ probe, gate }: GateLook): Fact[] {
  if (!probe) return [];
  const where = gate.kind === 'http' ? hostOf(gate.url) : gate.program;
  const failed = failedStage(probe);
  if (failed) {
    const value = `${failed.stage} failed after ${formatDuration(failed.durationMs)}: ${failed.detail} (${failed.code ?? ''})`;
    return [makeFact('probe', where, value, probe.atMs)];
  }
  const connectMs = probe.stages
    .filter(({ stage, outcome }) => outcome === 'ok' && stage !== 'answer' && stage !== 'auth')
    .reduce((sum, { durationMs }) => sum + durationMs, 0);
  const answer = probe.stages.find((stage) => stage.stage === 'answer' && stage.outcome === 'ok');
  const value = `connects in ${formatDuration(connectMs)}${answer ? `, answers after ${formatDuration(answer.durationMs)}` : ''}`;
  return [makeFact('probe', where, value, probe.atMs)];
}

/** Without path and query, which may hold what is not for everybody. */
function hostOf(url: string): string {
  return /^[a-z]+:\/\/(?:[^/?#@]*@)?([^/?#]+)/i.exec(url)?.[1] ?? url;
}

/** `9 of the last 10 calls ran out since …`, over all promotions to the environment. */
function callFacts({ calls, run }: GateLook): Fact[] {
  const [newest] = calls;
  if (!newest || calls.length < 2) return [];
  const outs = calls.filter((call) => call.outcome === 'timeout');
  const oldestOut = outs.at(-1);
  const answered = answeredMs(calls);
  const slowest = answered.length === 0 ? '' : `; the slowest answer took ${formatDuration(Math.max(...answered))}`;
  const since = oldestOut ? ` since ${toRfc3339(oldestOut.startedAtMs)}` : '';
  const value = `${outs.length} of its last ${calls.length} calls ran out of time${since}${slowest}`;
  return [makeFact('attempts', `calls of ${run.gate}`, value, newest.endedAtMs)];
}

function standFacts({ isEnded }: CaseView, { run }: GateLook): Fact[] {
  if (isEnded || run.heldUntilMs === null) return [];
  const value = `held until ${toRfc3339(run.heldUntilMs)}, then the promotion fails`;
  return [makeFact('promotion', `gate ${run.gate}`, value, run.heldUntilMs)];
}
