/**
 * Runs one attempt outside of any transaction and answers its outcome. Every attempt ends by its deadline; one that does
 * not is aborted by the signal, and when it does not heed the signal it is given up shortly after. Nothing here throws.
 */
import {
  combinedDigest,
  isPlanted,
  type Attempt,
  type AttemptOutcome,
  type AttemptPurpose,
  type AttemptResult,
  type Fence,
  formatFence,
  formatSource,
  type FreshProbe,
  isAppError,
  makeFreshProbe,
  partsFor,
  type ProbeStage,
  type PromotionSnapshot,
  type Release,
  type TargetHolding,
} from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { EffectResult } from '../ports/engine-store.ts';
import type { GateAnswer, GateQuestion } from '../ports/gate.ts';
import type { AskJudge } from '../ports/judge.ts';
import type { Logger } from '../ports/logger.ts';
import type { EngineMetrics } from '../ports/metrics.ts';
import type { Registry } from '../ports/registry.ts';
import type {
  AcceptedOperation,
  OpenTarget,
  OperationAnswer,
  Target,
  TargetCall,
  TargetParts,
} from '../ports/target.ts';

/** Every effect ends by itself at its deadline, and knows best what that means; only after this it is aborted. */
const ABORT_AFTER_MS = 100;

/** An effect that ignores its signal is given up this long after its deadline. */
const GIVE_UP_AFTER_MS = 500;

/** Captured text of one attempt's messages. */
const MESSAGE_LENGTH_MAX = 2_000;

export interface EffectDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  readonly registry: Registry;
  readonly openTarget: OpenTarget;
  readonly askGate: (
    gate: PromotionSnapshot['promotion']['definition']['gates'][number],
    question: GateQuestion,
    call: TargetCall,
  ) => Promise<GateAnswer>;
  readonly askJudge: AskJudge;
  /** What a target or registry looked like, for whoever asks why. Never waited for; to lose one costs a new look. */
  readonly noteProbe: (probe: FreshProbe) => void;
}

/** Without what grows with every attempt: an effect may last for long, and hundreds of targets have thousands of attempts. */
export type EffectFacts = Omit<PromotionSnapshot, 'attempts'>;

export interface EffectCall {
  readonly attempt: Attempt;
  readonly snapshot: EffectFacts;
  /** Until the attempt's deadline, by the database's clock. */
  readonly timeoutMs: number;
  /** The promotion was cancelled, its claim was lost, or the worker stops. */
  readonly signal: AbortSignal;
}

export type RunEffect = (call: EffectCall) => Promise<EffectResult>;

export function makeEffectRunner(deps: EffectDeps): RunEffect {
  return async (call) => {
    const startedAtMs = deps.clock.monotonicMs();
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    call.signal.addEventListener('abort', abort, { once: true });
    if (call.signal.aborted) abort();
    const stopDeadline = deps.clock.schedule(call.timeoutMs + ABORT_AFTER_MS, abort);
    try {
      const given = new Promise<EffectResult>((resolve) => {
        const giveUp = (): void =>
          resolve(unclear('timeout', 'request.timeout', `no answer within ${call.timeoutMs} ms`));
        controller.signal.addEventListener('abort', () => deps.clock.schedule(GIVE_UP_AFTER_MS, giveUp), {
          once: true,
        });
        if (controller.signal.aborted) deps.clock.schedule(GIVE_UP_AFTER_MS, giveUp);
      });
      const result = trimmed(await Promise.race([perform(deps, call, controller.signal), given]), call.snapshot);
      if (call.attempt.purpose === 'gate' && result.outcome !== 'acknowledged')
        countGate(deps, call, result.outcome, deps.clock.monotonicMs() - startedAtMs);
      return result;
    } catch (error) {
      deps.logger.error({ error, operationId: call.attempt.operationId }, 'an effect threw');
      return fromError(error);
    } finally {
      stopDeadline();
      call.signal.removeEventListener('abort', abort);
    }
  };
}

function countGate(
  { metrics }: EffectDeps,
  { attempt, snapshot: { promotion } }: EffectCall,
  outcome: AttemptOutcome,
  durationMs: number,
): void {
  const gate = promotion.definition.gates.find((one) => one.name === attempt.subject);
  if (!gate) return;
  const { environment } = promotion;
  metrics.gateEvaluated({ environment, gate: gate.name, kind: gate.kind, outcome, durationMs });
}

const PERFORMERS: Readonly<
  Record<AttemptPurpose, (deps: EffectDeps, call: EffectCall, target: TargetCall) => Promise<EffectResult>>
> = {
  precheck_artifact: checkArtifact,
  precheck_target: probeTarget,
  preflight_target: probeTarget,
  preflight_artifact: checkArtifact,
  gate: askGate,
  seal: sealTarget,
  deploy: (deps, call, target) =>
    operate(deps, call, target, isPlanted('deploy.digest_of_base') ? call.snapshot.base : call.snapshot.release),
  rollback: (deps, call, target) =>
    operate(deps, call, target, isPlanted('rollback.digest_of_release') ? call.snapshot.release : call.snapshot.base),
  batch_verify: observeTarget,
  judge: askJudge,
  verify: observeTarget,
  rollback_verify: observeTarget,
};

function perform(deps: EffectDeps, call: EffectCall, signal: AbortSignal): Promise<EffectResult> {
  return PERFORMERS[call.attempt.purpose](deps, call, { signal, timeoutMs: call.timeoutMs });
}

async function checkArtifact(
  deps: EffectDeps,
  { attempt, snapshot }: EffectCall,
  { signal }: TargetCall,
): Promise<EffectResult> {
  const component = snapshot.release.components.find((one) => one.name === attempt.subject);
  if (!component)
    return answer('failed', 'registry.artifact_missing', `the release has no component ${attempt.subject}`);
  const beganMs = deps.clock.monotonicMs();
  const note = (failure: EffectResult | null, detail: string): void => {
    const name = component.source.kind === 'registry' ? component.source.registry : formatSource(component.source);
    const stage = artifactStage(failure, { detail, durationMs: Math.round(deps.clock.monotonicMs() - beganMs) });
    const { environment } = snapshot.promotion;
    deps.noteProbe(makeFreshProbe({ kind: 'registry', environment, name }, [stage]));
  };
  try {
    const document = await deps.registry.readDocument(component.source, component.digest, signal);
    const message = `${document.kind} is there`;
    note(null, message);
    return { ...answer('succeeded', '', message), digest: document.digest };
  } catch (error) {
    const failure = fromError(error);
    note(failure, failure.message);
    return failure;
  }
}

function artifactStage(
  failure: EffectResult | null,
  { detail, durationMs }: Pick<ProbeStage, 'detail' | 'durationMs'>,
): ProbeStage {
  const ok = { stage: 'answer', outcome: 'ok', durationMs, code: null, detail } as const;
  if (failure === null) return ok;
  if (failure.code === 'registry.denied' || failure.code === 'registry.credentials') {
    return { ...ok, stage: 'auth', outcome: 'failed', code: 'auth.refused' };
  }
  if (failure.code === 'registry.tls') return { ...ok, stage: 'tls', outcome: 'failed', code: 'tls.untrusted' };
  const code = failure.code === 'registry.artifact_missing' ? 'answer.missing' : 'answer.bad';
  return { ...ok, outcome: 'failed', code };
}

async function probeTarget(deps: EffectDeps, call: EffectCall, targetCall: TargetCall): Promise<EffectResult> {
  const probe = await targetOf(deps, call).probe(targetCall);
  const { environment } = call.snapshot.promotion;
  if (probe.stages.length > 0) {
    deps.noteProbe(makeFreshProbe({ kind: 'target', environment, name: call.attempt.subject }, probe.stages));
  }
  if (probe.outcome === 'ok') return { ...answer('succeeded', '', probe.message), holds: probe.holds };
  return answer(probe.outcome === 'failed' ? 'failed' : 'error', probe.code, probe.message);
}

async function askGate(
  deps: EffectDeps,
  { attempt, snapshot }: EffectCall,
  targetCall: TargetCall,
): Promise<EffectResult> {
  const { promotion, release } = snapshot;
  const gate = promotion.definition.gates.find((one) => one.name === attempt.subject);
  if (!gate || attempt.gateRunId === null)
    return answer('error', 'gate.error', `the definition has no gate ${attempt.subject}`);
  const question: GateQuestion = {
    operationId: attempt.operationId,
    promotionId: promotion.id,
    gateRunId: attempt.gateRunId,
    gate: gate.name,
    environment: promotion.environment,
    attempt: attempt.number,
    release: { name: release.name, components: release.components.map(({ name, digest }) => ({ name, digest })) },
  };
  const given = await deps.askGate(gate, question, targetCall);
  if (given.outcome === 'acknowledged') return answer(given.outcome, '', given.message);
  if ('code' in given) return answer(given.outcome, given.code, given.message);
  const code = given.outcome === 'failed' ? 'gate.failed' : '';
  return { ...answer(given.outcome, code, given.message), output: given.output };
}

async function askJudge(deps: EffectDeps, { snapshot }: EffectCall, call: TargetCall): Promise<EffectResult> {
  const { strategy } = snapshot.promotion.definition;
  if (strategy?.kind !== 'canary') return answer('error', 'canary.unanswered', 'the definition has no judge');
  const { outcome, message } = await deps.askJudge(strategy.judge, call);
  const code = outcome === 'passed' ? '' : outcome === 'failed' ? 'canary.failed' : 'canary.unanswered';
  return answer(outcome, code, message);
}

async function sealTarget(deps: EffectDeps, call: EffectCall, targetCall: TargetCall): Promise<EffectResult> {
  const seal = await targetOf(deps, call).seal(targetCall, fenceOf(call.attempt));
  if (seal.outcome === 'refused') return refused(seal.held, `a newer fence ${formatFence(seal.held)} is there`);
  if (seal.outcome === 'errored') return answer('error', seal.code, seal.message);
  const recorded = seal.last?.result ?? null;
  return {
    ...answer('succeeded', '', 'sealed'),
    digest: recorded?.outcome === 'succeeded' ? recorded.digest : null,
    holds: seal.last ? { fence: seal.last.fence, operation: operationOf(seal.last) } : null,
    sealed: { operationId: seal.last?.operationId ?? null, outcome: recorded === null ? null : outcomeOf(recorded) },
  };
}

async function operate(
  deps: EffectDeps,
  call: EffectCall,
  targetCall: TargetCall,
  release: Release | null,
): Promise<EffectResult> {
  const parts = partsOf(call, release);
  if (!parts) return answer('failed', 'deploy.failed', 'the release has no component for this target');
  const target = targetOf(deps, call);
  const { attempt } = call;
  const { operationId } = attempt;
  const given = await (attempt.purpose === 'rollback'
    ? target.rollback(targetCall, fenceOf(attempt), operationId, ...parts)
    : target.deploy(targetCall, fenceOf(attempt), operationId, ...parts));
  if (given.outcome === 'succeeded') return { ...answer('succeeded', '', given.message), digest: given.digest };
  if (given.outcome === 'refused') return refused(given.held, given.message);
  if (given.outcome === 'errored' && isPlanted('effect.lost_answer_is_success')) {
    return { ...answer('succeeded', '', given.message), digest: combinedDigest(parts) };
  }
  return answer(given.outcome === 'failed' ? 'failed' : 'error', given.code, given.message);
}

/** What the target itself reports; whether it is the promised digest is for `decide` to say. */
async function observeTarget(deps: EffectDeps, call: EffectCall, targetCall: TargetCall): Promise<EffectResult> {
  const given = await targetOf(deps, call).observe(targetCall);
  if (given.outcome === 'errored') return answer('error', given.code, given.message);
  const { digest, isHealthy, message, holds } = given.observation;
  const wrong = message || 'nothing whole runs there';
  if (digest === null) return { ...answer('failed', 'target.wrong_digest', wrong), holds };
  if (!isHealthy) return { ...answer('failed', 'target.unhealthy', message), digest, holds };
  return { ...answer('succeeded', '', `reports ${digest}`), digest, holds };
}

function targetOf(deps: EffectDeps, { attempt, snapshot }: EffectCall): Target {
  const definition = snapshot.promotion.definition.targets.find((one) => one.name === attempt.subject);
  if (!definition) throw new Error(`the definition has no target ${attempt.subject}`);
  return deps.openTarget(definition, snapshot.promotion.environment);
}

function partsOf({ attempt, snapshot }: EffectCall, release: Release | null): TargetParts | null {
  const target = snapshot.promotion.definition.targets.find((one) => one.name === attempt.subject);
  const [first, ...others] = (target && partsFor(target, release)) ?? [];
  return first ? [first, ...others] : null;
}

function fenceOf(attempt: Attempt): Fence {
  if (attempt.fence === null) throw new Error(`attempt ${attempt.operationId} has no fence`);
  return attempt.fence;
}

function outcomeOf(given: OperationAnswer): AttemptResult['outcome'] {
  return given.outcome === 'errored' ? 'error' : given.outcome;
}

/** A fence newer than ours: of a newer operation that the database knows, or of one that it does not. */
function refused(held: Fence, message: string): EffectResult {
  return { ...answer('refused', 'target.fence_stale', message), holds: { fence: held, operation: null } };
}

function operationOf({ fence, operationId }: AcceptedOperation): TargetHolding['operation'] {
  return operationId === null ? null : { fence, operationId };
}

function answer(outcome: EffectResult['outcome'], code: string, message: string): EffectResult {
  return { outcome, code, message, output: '', digest: null, sealed: null };
}

function unclear(outcome: 'timeout' | 'error', code: string, message: string): EffectResult {
  return answer(outcome, code, message);
}

/** A registry's clear no is a failure; everything else means that we could not tell. */
function fromError(error: unknown): EffectResult {
  if (!isAppError(error)) return answer('error', 'internal', error instanceof Error ? error.message : String(error));
  const isNo = error.kind === 'NotFound' || error.kind === 'Unprocessable' || error.kind === 'Forbidden';
  return answer(isNo ? 'failed' : 'error', error.code, error.message);
}

function trimmed(result: EffectResult, { settings }: EffectFacts): EffectResult {
  return {
    ...result,
    message: result.message.slice(0, MESSAGE_LENGTH_MAX),
    output: result.output.slice(0, settings['limits.attemptOutput']),
  };
}
