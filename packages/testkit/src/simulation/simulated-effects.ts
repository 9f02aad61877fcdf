/**
 * What the world does with an intent: how long it takes, what comes of it, and what goes on behind the caller's back.
 * Luck decides; the targets keep their rules whatever luck says.
 */
import type { Attempt, AttemptResult, Digest, PromotionSnapshot, Release } from '@stella/domain';
import { compareFences } from '@stella/domain';
import type { MemoryTarget } from './memory-target.ts';
import { insist } from './safety-violation.ts';
import type { SeededRandom } from './seeded-random.ts';

export type EffectResult = Omit<AttemptResult, 'endedAtMs'>;

export interface EffectWorld {
  readonly random: SeededRandom;
  readonly badLuckPercent: number;
  readonly targetOf: (environment: string, target: string) => MemoryTarget;
  /** Something that happens whether or not the caller lives. */
  readonly later: (delayMs: number, run: () => void) => void;
}

export interface RunningEffect {
  readonly delayMs: number;
  /** To be called at its end. */
  readonly answer: () => EffectResult;
  /** An abort makes it end within half a second, with an unclear outcome. */
  readonly onAbort: EffectResult;
}

type Luck = 'good' | 'failed' | 'error' | 'timeout';

/** An effect that ignores its deadline is given up so long after it. */
const GIVE_UP_MS = 500;

/** `timeoutMs` is what is left until the attempt's deadline. */
export function startEffect(
  world: EffectWorld,
  attempt: Attempt,
  snapshot: PromotionSnapshot,
  timeoutMs: number,
): RunningEffect {
  const { random } = world;
  const isOperation = attempt.purpose === 'deploy' || attempt.purpose === 'rollback';
  // Probes are many and end a promotion easily: they fail less often, so that more is seen of what follows.
  const badLuckPercent = attempt.purpose.endsWith('_target') ? world.badLuckPercent / 3 : world.badLuckPercent;
  const luck: Luck = random.chance(badLuckPercent) ? random.pick(['failed', 'error', 'timeout']) : 'good';
  // Mostly quick; operations are slow enough to meet deadlines, kills and commands on the way.
  const isSlow = random.chance(isOperation ? 70 : 5);
  const durationMs = isSlow ? random.between(400, 12_000) : random.between(2, 400);
  const isLate = luck === 'timeout' || durationMs > timeoutMs;
  const delayMs = isLate ? timeoutMs + random.between(0, GIVE_UP_MS) : durationMs;
  const seen: Luck = isLate ? 'timeout' : luck;
  return { delayMs, answer: answerOf(world, { attempt, snapshot, luck: seen, delayMs }), onAbort: unclear('error') };
}

interface Course {
  readonly attempt: Attempt;
  readonly snapshot: PromotionSnapshot;
  readonly luck: Luck;
  readonly delayMs: number;
}

function answerOf(world: EffectWorld, course: Course): () => EffectResult {
  switch (course.attempt.purpose) {
    case 'precheck_target':
    case 'precheck_artifact':
    case 'preflight_target':
      return () => (course.luck === 'good' ? answer('succeeded') : unhappy(course.luck));
    case 'gate':
      return () => (course.luck === 'good' ? answer('passed') : unhappy(course.luck));
    case 'verify':
    case 'rollback_verify':
      return () => observe(world, course);
    case 'seal':
      return seal(world, course);
    case 'deploy':
      return operate(world, course, course.snapshot.release);
    case 'rollback':
      return operate(world, course, course.snapshot.base);
  }
}

function observe(world: EffectWorld, { attempt, snapshot, luck }: Course): EffectResult {
  if (luck !== 'good') return unhappy(luck);
  const digest = world.targetOf(snapshot.promotion.environment, attempt.subject).digest();
  return digest === null ? answer('failed') : { ...answer('succeeded'), digest };
}

function seal(world: EffectWorld, { attempt, snapshot, luck }: Course): () => EffectResult {
  const target = world.targetOf(snapshot.promotion.environment, attempt.subject);
  // An error may come before the target heard of the seal, or after.
  const isHeard = luck === 'good' || world.random.chance(50);
  return () => {
    const sealed = isHeard && attempt.fence ? target.seal(attempt.fence) : null;
    if (luck !== 'good') return unhappy(luck === 'failed' ? 'error' : luck);
    if (!sealed) return answer('refused');
    const { outcome } = sealed;
    return {
      ...answer('succeeded'),
      digest: outcome === 'succeeded' ? target.digest() : null,
      sealed: { operationId: sealed.operationId, outcome },
    };
  };
}

function operate(world: EffectWorld, course: Course, release: Release | null): () => EffectResult {
  const { attempt, snapshot, luck, delayMs } = course;
  const { promotion } = snapshot;
  const target = world.targetOf(promotion.environment, attempt.subject);
  const digest = digestFor(snapshot, attempt.subject, release);
  const { fence, operationId } = attempt;
  insist('S4', fence !== null, () => `${operationId} has no fence`);
  if (digest === null) return () => answer('failed');
  const accepted = target.begin({ fence, operationId, digest });
  if (accepted.kind === 'refused') return () => answer('refused');
  if (accepted.kind === 'known' && accepted.outcome !== null) return () => answer(accepted.outcome ?? 'failed');
  if (luck === 'good' || luck === 'failed') {
    const outcome = luck === 'good' ? 'succeeded' : 'failed';
    // The process at the target ends by itself just before the answer, with or without us.
    world.later(delayMs, () => target.end(operationId, outcome));
    return () => {
      target.end(operationId, outcome);
      return outcome === 'succeeded' ? { ...answer('succeeded'), digest } : answer('failed');
    };
  }
  // Unclear: it may have happened before, may happen long after, or never.
  if (world.random.chance(70)) {
    const outcome = world.random.chance(80) ? 'succeeded' : 'failed';
    world.later(world.random.between(1, delayMs + 20_000), () => target.end(operationId, outcome));
  }
  return () => unclear(luck);
}

/** What the target must run with that release; null when the release has nothing for it. */
export function digestFor(
  { promotion }: PromotionSnapshot,
  targetName: string,
  release: Release | null,
): Digest | null {
  const target = promotion.definition.targets.find((one) => one.name === targetName);
  return release?.components.find((one) => one.name === target?.component)?.digest ?? null;
}

/** The rightful holder of the lock was refused: its fence was not the newest. */
export function isRefusedWrongly(attempt: Attempt, current: PromotionSnapshot): boolean {
  const held = current.locks[0]?.fence;
  return held !== undefined && attempt.fence !== null && compareFences(attempt.fence, held) >= 0;
}

function unhappy(luck: Luck): EffectResult {
  return luck === 'failed' ? answer('failed') : unclear(luck === 'timeout' ? 'timeout' : 'error');
}

function unclear(outcome: 'error' | 'timeout'): EffectResult {
  return answer(outcome);
}

function answer(outcome: AttemptResult['outcome']): EffectResult {
  const isGood = outcome === 'succeeded' || outcome === 'passed';
  return {
    outcome,
    code: isGood ? '' : `simulated.${outcome}`,
    message: isGood ? '' : `luck says ${outcome}`,
    output: '',
    digest: null,
    sealed: null,
  };
}
