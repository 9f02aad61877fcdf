/** Why an environment is stopped, as two columns hold it: `stopped_at` and, in JSON, `stop`. */
import type { EnvironmentStop, UnknownHolding } from '@stella/domain';

export function toStopColumn({ target, holds, lacks }: UnknownHolding): string {
  return JSON.stringify({ target, holds, lacks });
}

/** `stop` as `toStopColumn` wrote it. */
export function toStop(stoppedAtMs: number | null, stop: unknown): EnvironmentStop | null {
  return stoppedAtMs === null ? null : { ...(stop as UnknownHolding), atMs: stoppedAtMs };
}
