/** Looks at many subjects, a bounded number at a time, and ends in time whatever they do; what was seen is kept. */
import { type FreshProbe, makeFreshProbe, type ProbeReport, type ProbeStage } from '@stella/domain';
import type { Logger } from '../ports/logger.ts';
import type { ProbeStore } from '../ports/probe-store.ts';
import type { Lookable, SubjectDeps } from './probe-subjects.ts';

/** Below the deadline of a request, so that the answer still tells what was found by then. */
const WHOLE_PROBE_MS = 25_000;
/** Looks at once: each holds a socket or a disk. */
const LOOKS_AT_ONCE = 20;

export interface ProberDeps extends SubjectDeps {
  readonly store: ProbeStore;
  readonly logger: Logger;
}

export interface Prober {
  /**
   * One report per subject, in their order. Errors of the store are logged: then the reports are told all the same, with
   * the time of this machine.
   */
  probe(
    lookables: readonly Lookable[],
    order: { readonly stageTimeoutMs: number; readonly signal: AbortSignal },
  ): Promise<readonly ProbeReport[]>;
}

export function makeProber(deps: ProberDeps): Prober {
  return {
    async probe(lookables, { stageTimeoutMs, signal }) {
      const ending = AbortSignal.any([signal, deps.clock.timeoutSignal(WHOLE_PROBE_MS)]);
      const found: FreshProbe[] = [];
      const queue = lookables.entries();
      const takeTurns = async (): Promise<void> => {
        for (const [index, { subject, look }] of queue) {
          const stages = ending.aborted
            ? [OVERDUE]
            : await look(deps, { stageTimeoutMs, signal: ending }).catch(toStages);
          found[index] = makeFreshProbe(subject, stages);
        }
      };
      await Promise.all(Array.from({ length: Math.min(LOOKS_AT_ONCE, lookables.length) }, takeTurns));
      return keep(deps, found);
    },
  };
}

const OVERDUE: ProbeStage = {
  stage: 'answer',
  outcome: 'failed',
  durationMs: 0,
  code: 'probe.timeout',
  detail: 'the whole probe ran out of time before its turn',
};

/** A mistake of ours, told as what it is. */
function toStages(error: unknown): readonly ProbeStage[] {
  const detail = error instanceof Error ? error.message : String(error);
  return [{ ...OVERDUE, code: 'probe.error', detail }];
}

async function keep(
  { store, clock, logger }: ProberDeps,
  found: readonly FreshProbe[],
): Promise<readonly ProbeReport[]> {
  const atMs = clock.nowMs();
  try {
    const [first] = await store.recordProbes(found);
    return found.map((probe) => ({ ...probe, atMs: first?.atMs ?? atMs }));
  } catch (error) {
    logger.warn({ error }, 'probes were not kept');
    return found.map((probe) => ({ ...probe, atMs }));
  }
}
