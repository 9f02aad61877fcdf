/**
 * One call at each of several targets on behalf of a person who waits for the answer: `limits.targetsAtOnce` of them at a
 * time, each with its own deadline, and one for the whole.
 */
import type { TargetDefinition } from '@stella/domain';
import { forEachBounded } from '../../ports/bounded-parallel.ts';
import { type Clock, endWithin } from '../../ports/clock.ts';
import type { TargetCall } from '../../ports/target.ts';

/** A target that has not answered by then is reported as such. */
export const CALL_TIMEOUT_MS = 10_000;

/** Nobody waits longer for all of them together; the command line waits a little longer than this. */
export const WHOLE_MS_MAX = 120_000;

export interface CalledTargets {
  readonly environment: string;
  readonly targets: readonly TargetDefinition[];
  /** `limits.targetsAtOnce` */
  readonly atOnce: number;
  /** Where all of them together may not take as long as they could; `WHOLE_MS_MAX` without. */
  readonly wholeMsMax?: number;
}

/** All of them together take no longer: it grows with the rounds that it takes to come to each. */
export function wholeDeadlineMs({
  targets,
  atOnce,
  wholeMsMax = WHOLE_MS_MAX,
}: Omit<CalledTargets, 'environment'>): number {
  const rounds = Math.ceil(targets.length / Math.max(1, atOnce));
  return Math.min(rounds * CALL_TIMEOUT_MS, wholeMsMax);
}

export interface TargetWork<Answer> {
  readonly ask: (definition: TargetDefinition, call: TargetCall) => Promise<Answer>;
  /** Instead of an answer that did not come within `waitedMs`; 0: the time was over before it was asked. */
  readonly late: (definition: TargetDefinition, waitedMs: number) => Answer;
}

/** In the order of the targets. The first error of `ask` or `late` ends it, after the calls that are under way. */
export async function callTargets<Answer>(
  clock: Clock,
  called: Omit<CalledTargets, 'environment'>,
  { ask, late }: TargetWork<Answer>,
): Promise<readonly Answer[]> {
  const answers = new Map<string, Answer>();
  const endsAtMs = clock.monotonicMs() + wholeDeadlineMs(called);
  await forEachBounded(called.targets, Math.max(1, called.atOnce), async (definition) => {
    const timeoutMs = Math.min(CALL_TIMEOUT_MS, endsAtMs - clock.monotonicMs());
    const answer =
      timeoutMs > 0
        ? await endWithin(
            clock,
            { deadlineMs: timeoutMs, signal: new AbortController().signal },
            (signal) => ask(definition, { signal, timeoutMs }),
            () => late(definition, timeoutMs),
          )
        : late(definition, 0);
    answers.set(definition.name, answer);
  });
  return called.targets.flatMap(({ name }) => {
    const answer = answers.get(name);
    return answer === undefined ? [] : [answer];
  });
}

/** Why `late` was called, for people. */
export function lateWords(waitedMs: number): string {
  return waitedMs > 0 ? `no answer within ${Math.ceil(waitedMs / 1_000)}s` : 'not asked: the time for all was over';
}
