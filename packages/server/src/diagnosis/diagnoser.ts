/** Reads what a diagnosis looks at, adds what only this server knows (its clock, its disk), and asks the domain. */
import { diagnose, type Diagnosis, type PromotionId, type Settings } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { Diagnoser, StalledPromotion } from '../ports/diagnoser.ts';
import type { ReadStore } from '../ports/read-store.ts';

/** Free space where the database lies; null: it is not on this machine, or cannot be asked. */
export type ReadDisk = () => Promise<{ readonly path: string; readonly freeBytes: number } | null>;

export interface DiagnoserDeps {
  readonly reads: Pick<ReadStore, 'readDiagnosis' | 'readMonitoring'>;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly settings: Settings;
  readonly about: { readonly version: string; readonly hostname: string };
  readonly readDisk: ReadDisk;
}

export function makeDiagnoser(deps: DiagnoserDeps): Diagnoser {
  return {
    diagnose: (id) => diagnoseOne(deps, id),
    async diagnoseStalled(limit) {
      const limits = { stalledCount: limit, workerCount: 1 };
      const { stalled } = await deps.reads.readMonitoring(deps.settings['stuck.after'], limits);
      const diagnosed: StalledPromotion[] = [];
      // One after the other: whoever asks for all of them shall not take all connections.
      for (const { promotionId } of stalled) diagnosed.push(toStalled(await diagnoseOne(deps, promotionId)));
      return diagnosed;
    },
  };
}

async function diagnoseOne({ reads, clock, about, readDisk }: DiagnoserDeps, id: PromotionId): Promise<Diagnosis> {
  const startMs = clock.monotonicMs();
  const [reading, disk] = await Promise.all([reads.readDiagnosis(id), readDisk()]);
  const readMs = clock.monotonicMs() - startMs;
  // The database read its clock somewhere between; half of the way is the best guess.
  const clockAheadMs = Math.round(clock.nowMs() - readMs / 2 - reading.nowMs);
  return diagnose({
    ...reading,
    database: { ...reading.database, readMs: Math.round(readMs), disk },
    server: { ...about, clockAheadMs },
  });
}

function toStalled({ promotionId, environment, timeBudget, summary, causes }: Diagnosis): StalledPromotion {
  return {
    promotionId,
    environment,
    sinceProgressMs: timeBudget.sinceProgressMs,
    summary,
    firstCause: causes[0] ?? null,
  };
}
