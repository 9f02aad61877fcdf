/** What `decide` answers: the next state of everything it changed, the effects to run, and when to look again. */
import type { ChainedEvent } from '../../audit/event.ts';
import type { Fence } from '../../locks/fence.ts';
import type { LockId } from '../../values/ids.ts';
import type {
  Approval,
  Attempt,
  AttemptResult,
  EnvironmentStatus,
  GateRun,
  Lock,
  Promotion,
  StepRun,
} from '../promotion.ts';
import type { GateDebt } from '../gate-debt.ts';
import type { Skip } from '../skip.ts';

export interface Decision {
  /** Nothing else counts: decide again with a guard, in the same transaction. */
  readonly needsGuard: boolean;
  readonly promotion: Promotion;
  /** Changed ones only, here and below. */
  readonly steps: readonly StepRun[];
  /** Changed or new. */
  readonly gateRuns: readonly GateRun[];
  readonly newAttempts: readonly Attempt[];
  /** Attempts of a lost claim whose outcome was looked up, or given up. */
  readonly settledAttempts: readonly SettledAttempt[];
  /** Decisions of persons, recorded by a command. */
  readonly newApprovals: readonly Approval[];
  /** Changed or new. */
  readonly skips: readonly Skip[];
  /** Changed or new; those of other promotions too, when this one supersedes them. */
  readonly debts: readonly GateDebt[];
  readonly takenLocks: readonly Lock[];
  readonly releasedLocks: readonly LockId[];
  /** Set at a takeover: all own live locks get this fence. */
  readonly lockFence: Fence | null;
  readonly environment: EnvironmentStatus | null;
  /** The environment's lock or base changed: whoever waits for it must look again now. */
  readonly wakesEnvironment: boolean;
  /** With `queue: latest`: whoever has not begun to deploy there looks again now, whatever it does. */
  readonly wakesOlder: boolean;
  readonly events: readonly ChainedEvent[];
  /** Open attempts, to be run outside of any transaction; those in flight already are left alone. */
  readonly effects: readonly Attempt[];
}

export interface SettledAttempt {
  readonly operationId: string;
  readonly result: AttemptResult;
}
