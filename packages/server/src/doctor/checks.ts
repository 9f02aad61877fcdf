/** All checks, in the order in which they are shown. */
import type { Check } from './check.ts';
import { orchestratorInvariants } from './checks/orchestrator-invariants.ts';

export const CHECKS: readonly Check[] = [orchestratorInvariants];
