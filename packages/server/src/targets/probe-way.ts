/** The way to the host of a target, before anything on it is looked at. */
import type { ProbeStage } from '@stella/domain';
import type { ProbeAnswer, TargetCall } from '../ports/target.ts';
import type { TargetHost } from '../ports/target-host.ts';

export interface WayToHost {
  readonly stages: readonly ProbeStage[];
  /** The answer when the host is not reached; null when it is. */
  readonly broken: ProbeAnswer | null;
}

export async function lookAtWay(host: TargetHost, { timeoutMs, signal }: TargetCall): Promise<WayToHost> {
  const stages = await host.look({ stageTimeoutMs: timeoutMs, signal });
  const lost = stages.find(({ outcome }) => outcome === 'failed');
  const broken: ProbeAnswer | null = lost
    ? { outcome: 'errored', code: codeOf(lost), message: lost.detail, stages }
    : null;
  return { stages, broken };
}

function codeOf({ stage }: ProbeStage): string {
  if (stage === 'host_key') return 'target.host_key';
  return stage === 'auth' ? 'target.credentials' : 'target.unreachable';
}
