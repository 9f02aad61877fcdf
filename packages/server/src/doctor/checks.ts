/** All checks, in the order in which they are shown. */
import type { Check, CheckFamily } from './check.ts';
import { clock } from './checks/clock.ts';
import { config } from './checks/config.ts';
import { disk } from './checks/disk.ts';
import { gateTimeout } from './checks/gate-timeout.ts';
import { jobHealth } from './checks/job-health.ts';
import { locks } from './checks/locks.ts';
import { network } from './checks/network.ts';
import { notifications } from './checks/notifications.ts';
import { orchestratorInvariants } from './checks/orchestrator-invariants.ts';
import { postgres } from './checks/postgres.ts';
import { quotaStatus } from './checks/quota-status.ts';
import { rollbackHealth } from './checks/rollback-health.ts';
import { targetDrift } from './checks/target-drift.ts';
import { timeBudget } from './checks/time-budget.ts';
import { workers } from './checks/workers.ts';

export const CHECKS: readonly Check[] = [
  jobHealth,
  gateTimeout,
  timeBudget,
  workers,
  locks,
  notifications,
  quotaStatus,
  rollbackHealth,
  orchestratorInvariants,
  clock,
  targetDrift,
  postgres,
  disk,
  config,
];

/** Shown after those. */
export const CHECK_FAMILIES: readonly CheckFamily[] = [network];
