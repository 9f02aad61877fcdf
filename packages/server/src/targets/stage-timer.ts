/** Times the stages of a probe, one after another; the first that fails ends it. */
import { isAppError, type ProbeCode, type ProbeStage, type ProbeStageName } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';

export interface StageTimer {
  /** Those that have ended, in order. */
  readonly stages: readonly ProbeStage[];
  /** `work` answers the detail for people. What it throws is noted under the code that `toCode` gives, and thrown on. */
  run(stage: ProbeStageName, toCode: (error: unknown) => ProbeCode, work: () => Promise<string>): Promise<void>;
  /** The stages as they are when the call ends by its deadline: the one under way failed by `probe.timeout`. */
  cut(message: string): readonly ProbeStage[];
}

/** Nobody answered: the connection was lost, or could not be made again. That says nothing of what the stage looks at. */
function isLost(error: unknown): boolean {
  return isAppError(error, 'target.interrupted') || isAppError(error, 'target.unreachable');
}

/** `isOver`: the call has ended, so that what a stage throws says nothing of the target. */
export function makeStageTimer(clock: Pick<Clock, 'monotonicMs'>, isOver: () => boolean = () => false): StageTimer {
  const stages: ProbeStage[] = [];
  let open: { readonly stage: ProbeStageName; readonly beganMs: number } | null = null;
  const sinceMs = (beganMs: number): number => Math.round(clock.monotonicMs() - beganMs);
  return {
    stages,
    async run(stage, toCode, work) {
      const beganMs = clock.monotonicMs();
      open = { stage, beganMs };
      try {
        const detail = await work();
        stages.push({ stage, outcome: 'ok', durationMs: sinceMs(beganMs), code: null, detail });
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        const code = isOver() || isLost(error) ? 'probe.timeout' : toCode(error);
        stages.push({ stage, outcome: 'failed', durationMs: sinceMs(beganMs), code, detail });
        throw error;
      } finally {
        open = null;
      }
    },
    cut(message) {
      if (open === null) return [...stages];
      const { stage, beganMs } = open;
      const code: ProbeCode = 'probe.timeout';
      return [...stages, { stage, outcome: 'failed', durationMs: sinceMs(beganMs), code, detail: message }];
    },
  };
}
