/** Every drill, and of each cause without one why it has none. */
import type { CauseCode } from '@stella/domain';
import { AppError, nearestOf } from '@stella/domain/client';
import { CANARY_DRILLS } from './causes/canary-drills.ts';
import { COMMAND_DRILLS } from './causes/command-drills.ts';
import { GATE_DRILLS } from './causes/gate-drills.ts';
import { HOST_DRILLS } from './causes/host-drills.ts';
import { REGISTRY_DRILLS } from './causes/registry-drills.ts';
import { DATABASE_DRILLS } from './causes/database-drills.ts';
import { TARGET_DRILLS } from './causes/target-drills.ts';
import { TRUST_DRILLS } from './causes/trust-drills.ts';
import { WAIT_DRILLS } from './causes/wait-drills.ts';
import { WORKER_DRILLS } from './causes/worker-drills.ts';
import { type Drill, drillId } from './drill.ts';

export const DRILLS: readonly Drill[] = [
  ...TARGET_DRILLS,
  ...CANARY_DRILLS,
  ...HOST_DRILLS,
  ...REGISTRY_DRILLS,
  ...GATE_DRILLS,
  ...COMMAND_DRILLS,
  ...TRUST_DRILLS,
  ...WAIT_DRILLS,
  ...WORKER_DRILLS,
  ...DATABASE_DRILLS,
];

/** Causes that no drill shows, with the reason. */
export const UNDRILLED: Readonly<Partial<Record<CauseCode, string>>> = {
  'registry.tls': 'a registry by TLS would have to be declared; gate.tls drills the same',
  'database.slow': 'told only beside another trouble: alone it slows things down and stops nothing',
  'worker.blocked': 'nothing from outside does it: a process that hangs loses its lease, and is told as worker.dead',
  'worker.version_skew': 'told only beside another trouble, and wants orchestrators of two versions',
  'lock.stale': 'nothing from outside does it: while a worker lives, it takes over whoever holds a lock within seconds',
  'target.engine_down': 'the drill would need an engine of containers, and a machine has none for drills alone',
  'target.fence_stale': 'only a worker that was overtaken meets it, and its promotion goes on under the newer fence',
  unknown: 'nothing that is known leads to it',
};

/** Throws `drill.unknown`. */
export function drillOf(cause: string): Drill {
  const drill = DRILLS.find((one) => drillId(one) === cause);
  if (drill) return drill;
  const reason = Object.entries(UNDRILLED).find(([code]) => code === cause)?.[1];
  const nearest = nearestOf(cause, DRILLS.map(drillId));
  throw new AppError('drill.unknown', {
    details: { cause, reason: reason ?? 'there is no such cause' },
    ...(reason !== undefined || nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}
