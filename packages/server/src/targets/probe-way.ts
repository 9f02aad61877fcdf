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

/** By what was found, not by where: a host that hangs up or is slow while it greets has shown no other key. */
function codeOf({ code }: ProbeStage): string {
  if (code?.startsWith('host_key.')) return 'target.host_key';
  return code?.startsWith('auth.') ? 'target.credentials' : 'target.unreachable';
}
