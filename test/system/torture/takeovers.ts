/**
 * Measures takeovers in the database: from the moment that a worker died, was paused or was cut off until none of its
 * promotions is its own any more (safety L2). While the database is away, or nobody else lives, the clock stands; such a
 * trial is judged by the lease alone.
 */
import type { Witness } from './database.ts';
import { pause } from './load.ts';

const LOOK_MS = 20;
export const DIED_BOUND_MS = 2_000;
export const LEASE_BOUND_MS = 20_000;
/** Then it is over, and failed. */
const GIVE_UP_MS = 90_000;

export interface Trial {
  readonly kind: 'killed' | 'paused' | 'cut off';
  readonly workerId: string;
  /** Promotions that it had when it was first looked. */
  readonly heldCount: number;
  readonly tookMs: number;
  readonly boundMs: number;
  /** Of them, those that are claimed one at a time, because two workers had died with them before (safety L8). */
  readonly suspectCount: number;
  /** The database went away meanwhile, or no other worker could work. */
  readonly isDisturbed: boolean;
  /** The longest that this very loop had to wait for a turn: what the machine is short of. */
  readonly stallMs: number;
}

export interface TakeoverWatch {
  readonly trials: readonly Trial[];
  begin(kind: Trial['kind'], workerId: string, sinceMs: number): void;
  /** Resolves when every trial is over. */
  settle(): Promise<void>;
}

interface Held extends Record<string, unknown> {
  readonly held: number;
  readonly suspects: number;
  readonly others: number;
  readonly is_same_postmaster: boolean;
}

const LOOK = `select
  (select count(*)::int from promotions where worker_id = $1 and ended_at is null) as held,
  (select count(*)::int from promotions where worker_id = $1 and ended_at is null and claim_failures >= 2) as suspects,
  (select count(*)::int from workers w where w.id <> $1 and w.id = any ($2) and w.state = 'live'
    and exists (select from pg_stat_activity a where a.pid = w.session_pid and a.backend_start = w.backend_start_at)) as others,
  coalesce((select postmaster_start_at = pg_postmaster_start_time() from workers where id = $1), false) as is_same_postmaster`;

/** `atWork`: workers of replicas that are neither paused nor cut off. */
export function watchTakeovers(witness: Witness, atWork: () => readonly string[]): TakeoverWatch {
  const trials: Trial[] = [];
  const running = new Set<Promise<void>>();
  return {
    trials,
    begin(kind, workerId, sinceMs) {
      const trial = measure(witness, atWork, { kind, workerId, sinceMs }).then(
        (ended) => void (ended && trials.push(ended)),
      );
      running.add(trial);
      void trial.finally(() => running.delete(trial));
    },
    async settle() {
      await Promise.all(running);
    },
  };
}

interface Beginning {
  readonly kind: Trial['kind'];
  readonly workerId: string;
  readonly sinceMs: number;
}

/** Null when it had nothing to take over. */
async function measure(
  witness: Witness,
  atWork: () => readonly string[],
  { kind, workerId, sinceMs }: Beginning,
): Promise<Trial | null> {
  let startMs = sinceMs;
  let isDisturbed = false;
  let heldCount: number | null = null;
  let suspectCount = 0;
  let stallMs = 0;
  let lookedAtMs = sinceMs;
  while (performance.now() - sinceMs < GIVE_UP_MS) {
    const [seen] = (await witness.ask<Held>(LOOK, [workerId, atWork()])) ?? [];
    const nowMs = performance.now();
    stallMs = Math.max(stallMs, nowMs - lookedAtMs);
    lookedAtMs = nowMs;
    if (!seen || seen.others === 0) {
      isDisturbed = true;
      startMs = nowMs;
    } else {
      heldCount ??= seen.held;
      suspectCount = Math.max(suspectCount, seen.suspects);
      isDisturbed ||= !seen.is_same_postmaster;
      if (seen.held === 0) {
        if (heldCount === 0) return null;
        const boundMs = kind === 'killed' && !isDisturbed ? DIED_BOUND_MS : LEASE_BOUND_MS;
        const tookMs = nowMs - startMs;
        return { kind, workerId, heldCount, suspectCount, tookMs, boundMs, isDisturbed, stallMs };
      }
    }
    await pause(LOOK_MS);
  }
  return {
    kind,
    workerId,
    heldCount: heldCount ?? 0,
    suspectCount,
    tookMs: GIVE_UP_MS,
    boundMs: LEASE_BOUND_MS,
    isDisturbed,
    stallMs,
  };
}
