/**
 * Asks the rules of safety in the background, for as long as the server runs: what changed, every half minute; everything,
 * in small pages with pauses between, so that it costs next to nothing beside the work. Whatever breaks a rule is logged
 * once, told in the audit log, and shown by the metric and the doctor until a whole sweep no longer finds it.
 */
import type { AuditStore, AuditTurn } from '../ports/audit-store.ts';
import { type Clock, pause } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';

const LIVE_EVERY_MS = 30_000;
/** One page of a sweep. At this pace 100,000 promotions take 8 hours, and cost a small part of 1 % of a core. */
const SWEEP_PAGE_ROWS = 50;
const SWEEP_EVERY_MS = 15_000;
/** Between two whole sweeps. */
const SWEEP_REST_MS = 10 * 60_000;
/** How often it is asked whether something is due. */
const TURN_EVERY_MS = 5_000;

export interface Auditor {
  /** Ends after the turn under way. */
  stop(): Promise<void>;
}

export interface AuditorDeps {
  readonly store: AuditStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function startAuditor(deps: AuditorDeps): Auditor {
  const halt = new AbortController();
  const ended = run(deps, halt.signal);
  return {
    async stop() {
      halt.abort();
      await ended;
    },
  };
}

async function run({ store, clock, logger }: AuditorDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(clock, TURN_EVERY_MS, signal);
    if (signal.aborted) return;
    try {
      report(logger, await store.takeLiveTurn(LIVE_EVERY_MS));
      const pace = { everyMs: SWEEP_EVERY_MS, restMs: SWEEP_REST_MS, rows: SWEEP_PAGE_ROWS };
      report(logger, await store.takeSweepTurn(pace));
    } catch (error) {
      logger.warn({ error }, 'the rules of safety could not be asked');
    }
  }
}

function report(logger: Logger, turn: AuditTurn | null): void {
  for (const { rule, subject, message } of turn?.fresh ?? []) {
    logger.error({ rule, subject, message }, 'a rule of safety is broken');
  }
}
