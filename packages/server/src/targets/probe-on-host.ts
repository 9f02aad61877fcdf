/** One probe of a target on a host: the way to it, and what is looked at there, within the time of one call. */
import type { TargetHolding } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { ProbeAnswer, TargetCall } from '../ports/target.ts';
import type { TargetHost } from '../ports/target-host.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { lookAtWay } from './probe-way.ts';
import { makeStageTimer, type StageTimer } from './stage-timer.ts';
import { isClearNo, toTargetError } from './target-errors.ts';

export interface ProbePlace {
  readonly clock: Clock;
  readonly target: string;
  readonly host: TargetHost;
}

/** What is said of a target that is well. */
export interface Found {
  readonly message: string;
  readonly holds: TargetHolding | null;
}

/** `look` throws what is wrong. A slow host is told as slow, with the stage that it stood at, whatever `look` makes of its end. */
export async function probeOnHost(
  { clock, target, host }: ProbePlace,
  call: TargetCall,
  look: (scope: CallScope, timer: StageTimer) => Promise<Found>,
): Promise<ProbeAnswer> {
  const beganMs = clock.monotonicMs();
  const { stages: way, broken } = await lookAtWay(host, call);
  if (broken) return broken;
  let ending: CallScope['ending'] = () => null;
  const timer = makeStageTimer(clock, () => ending() !== null);
  const leftMs = Math.max(1, call.timeoutMs - (clock.monotonicMs() - beganMs));
  return withinCall<ProbeAnswer>(
    { call: { ...call, timeoutMs: leftMs }, clock, target },
    (error) => {
      const known = toTargetError(error, target);
      const stages = [...way, ...timer.cut(known.message)];
      if (ending() === 'deadline') {
        const message = lateWords(call.timeoutMs, stages.at(-1)?.stage);
        return { outcome: 'errored', code: 'target.interrupted', message, stages };
      }
      return { outcome: isClearNo(known) ? 'failed' : 'errored', code: known.code, message: known.message, stages };
    },
    async (scope) => {
      ending = () => scope.ending();
      const found = await look(scope, timer);
      return { outcome: 'ok', ...found, stages: [...way, ...timer.stages] };
    },
  );
}

function lateWords(timeoutMs: number, stage: string | undefined): string {
  const at = stage === undefined ? '' : `, it stood at the stage ${stage}`;
  return `was not looked at within ${Math.ceil(timeoutMs / 100) / 10} s${at} (setting probe.timeout)`;
}
