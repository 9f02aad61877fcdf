/** Every drill, and of each other cause why it is no matter for an installation that others use. */
import type { CauseCode } from '@stella/domain';
import { AppError, nearestOf } from '@stella/domain/client';
import { GATE_DRILLS } from './causes/gate-drills.ts';
import { REGISTRY_DRILLS } from './causes/registry-drills.ts';
import { TARGET_DRILLS } from './causes/target-drills.ts';
import { WAIT_DRILLS } from './causes/wait-drills.ts';
import type { Drill } from './drill.ts';

export const DRILLS: readonly Drill[] = [...TARGET_DRILLS, ...REGISTRY_DRILLS, ...GATE_DRILLS, ...WAIT_DRILLS];

const ALL_WOULD_STOP = 'the database of all promotions would have to fail';
const WORKER_WOULD_STOP = 'the workers of all promotions would have to fail';

/** Causes that no drill shows on an installation that others use, with the reason. */
export const UNDRILLED: Readonly<Partial<Record<CauseCode, string>>> = {
  'database.read_only': ALL_WOULD_STOP,
  'database.disk_full': ALL_WOULD_STOP,
  'database.contention': ALL_WOULD_STOP,
  'database.slow': ALL_WOULD_STOP,
  'database.connections': ALL_WOULD_STOP,
  'worker.none': WORKER_WOULD_STOP,
  'worker.dead': WORKER_WOULD_STOP,
  'worker.blocked': WORKER_WOULD_STOP,
  'worker.restarting': WORKER_WOULD_STOP,
  'worker.version_skew': WORKER_WOULD_STOP,
  poison: WORKER_WOULD_STOP,
  'lock.stale': WORKER_WOULD_STOP,
  'clock.skew': 'the clock of the server would have to be wrong',
  'target.busy': 'the server itself would have to work at the target twice',
  'target.fence_stale': 'the server itself would have to be overtaken',
  'registry.tls': 'the registry of the drill would have to be declared to everybody',
  'canary.failed': 'the drill would need a second target, which its world has not',
  'canary.unanswered': 'the drill would need a second target, which its world has not',
  'gate.tls': 'the server would have to trust a certificate of the drill',
  'gate.no_callback': 'the server would have to hold a secret of the drill',
  unknown: 'nothing that is known leads to it',
};

/** Throws `drill.unknown`. */
export function drillOf(cause: string): Drill {
  const drill = DRILLS.find((one) => one.cause === cause);
  if (drill) return drill;
  const reason = Object.entries(UNDRILLED).find(([code]) => code === cause)?.[1];
  const nearest = nearestOf(
    cause,
    DRILLS.map((one) => one.cause),
  );
  throw new AppError('drill.unknown', {
    details: { cause, reason: reason ?? 'there is no such cause' },
    ...(reason !== undefined || nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}
