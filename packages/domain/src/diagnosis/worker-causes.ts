/** Workers: is there one, does the one that has the promotion live, does anybody move it. */
import { formatDuration } from '../values/duration.ts';
import {
  type CaseView,
  commandRemedy,
  externalRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  waitRemedy,
  wholeSeconds,
} from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Fact, Remedy } from './diagnosis.ts';
import type { WorkerFacts } from './diagnosis-snapshot.ts';

/** Somebody else takes over within 2 s of a death that is noticed; this is a little more. */
const TAKEOVER_PATIENCE_MS = 5_000;
/** The longest that a takeover may last (safety L2): from then on nobody does it. */
const LATE_MS_MAX = 20_000;
/** Due for so long without any worker at all; a worker polls four times a second. */
const NONE_LATE_MS_MAX = 5_000;
/** A worker that signed off so short ago is probably being started again: a drain may last 30 s. */
const RESTART_MS_MAX = 60_000;

export const findWorkerCauses: FindCauses = (view) => {
  if (view.isEnded) return [];
  const { workers } = view.whole;
  const live = workers.filter((worker) => isLive(worker, view.nowMs));
  const { workerId } = view.snapshot.promotion;
  const own = workers.find((worker) => worker.id === workerId) ?? null;
  if (workerId !== null && (own === null || !isLive(own, view.nowMs))) return deadWorker(view, own, live);
  if (live.length === 0) return view.lateMs >= NONE_LATE_MS_MAX ? [noWorker(view)] : [];
  return view.lateMs >= LATE_MS_MAX ? [blockedWorker(view, own, live)] : [];
};

export function hasLiveWorker({ whole, nowMs }: CaseView): boolean {
  return whole.workers.some((worker) => isLive(worker, nowMs));
}

function isLive(worker: WorkerFacts, nowMs: number): boolean {
  return worker.state === 'live' && worker.leaseUntilMs > nowMs;
}

/** Null when it went too short ago: then a takeover is on its way. */
function deadWorker(view: CaseView, own: WorkerFacts | null, live: readonly WorkerFacts[]): Cause[] {
  const lapsedMs = own === null ? view.lateMs : view.nowMs - own.leaseUntilMs;
  const goneMs = own?.state === 'live' ? lapsedMs : view.lateMs;
  if (goneMs < TAKEOVER_PATIENCE_MS) return [];
  if (own?.state === 'retired' && live.length === 0 && view.nowMs - own.heartbeatAtMs < RESTART_MS_MAX)
    return [restarting(view, own)];
  const others = live.length === 0 ? 'no other worker lives' : `${live.length} others live`;
  const facts: Fact[] = [
    own === null
      ? makeFact(
          'workers',
          `worker ${view.snapshot.promotion.workerId ?? ''}`,
          'has it, and is not known any more',
          view.nowMs,
        )
      : makeFact('workers', `worker ${own.id}`, `has it; ${aliveWords(own, view.nowMs)}`, own.heartbeatAtMs),
    makeFact('workers', 'others', others, view.nowMs),
  ];
  return [
    makeCause(view, 'worker.dead', {
      confidence: 'certain',
      facts,
      remedies: [restart(own?.hostname ?? null)],
    }),
  ];
}

function noWorker(view: CaseView): Cause {
  const newest = [...view.whole.workers].sort((a, b) => b.heartbeatAtMs - a.heartbeatAtMs)[0];
  if (newest?.state === 'retired' && view.nowMs - newest.heartbeatAtMs < RESTART_MS_MAX)
    return restarting(view, newest);
  const facts = [
    makeFact('workers', 'live workers', 'none', view.nowMs),
    makeFact('promotion', 'due', `for ${formatDuration(wholeSeconds(view.lateMs))}, and nobody looks`, view.nowMs),
    ...(newest === undefined
      ? []
      : [makeFact('workers', `last worker ${newest.id}`, aliveWords(newest, view.nowMs), newest.heartbeatAtMs)]),
  ];
  return makeCause(view, 'worker.none', {
    confidence: 'certain',
    facts,
    remedies: [
      commandRemedy({
        text: `start an orchestrator with a worker${newest === undefined ? '' : ` on ${newest.hostname}`}`,
        command: commandLine('service', 'start', 'orchestrator'),
        effect: 'promotions go on where they stood; nothing is lost',
        needs: null,
      }),
    ],
  });
}

function restarting(view: CaseView, worker: WorkerFacts): Cause {
  const untilMs = worker.heartbeatAtMs + RESTART_MS_MAX;
  return makeCause(view, 'worker.restarting', {
    confidence: 'likely',
    facts: [
      makeFact(
        'workers',
        `worker ${worker.id}`,
        `signed off ${agoWords(worker.heartbeatAtMs, view.nowMs)}, no other lives`,
        worker.heartbeatAtMs,
      ),
    ],
    remedies: [
      waitRemedy({
        text: 'the orchestrator is being started again; when it does not come, start it',
        command: commandLine('service', 'start', 'orchestrator'),
        effect: 'promotions go on where they stood',
        untilMs,
      }),
    ],
  });
}

function blockedWorker(view: CaseView, own: WorkerFacts | null, live: readonly WorkerFacts[]): Cause {
  const late = `for ${formatDuration(wholeSeconds(view.lateMs))}, and nobody looks`;
  const shown = own === null ? live.slice(0, 3) : [own];
  return makeCause(view, 'worker.blocked', {
    confidence: own === null ? 'likely' : 'certain',
    facts: [
      makeFact('promotion', 'due', late, view.nowMs),
      ...shown.map((worker) =>
        makeFact(
          'workers',
          `worker ${worker.id}`,
          `${own === null ? 'does not claim it' : 'has it'}; ${aliveWords(worker, view.nowMs)}`,
          worker.heartbeatAtMs,
        ),
      ),
    ],
    remedies: [restart(shown[0]?.hostname ?? null)],
  });
}

function restart(hostname: string | null): Remedy {
  return commandRemedy({
    text: `restart the orchestrator${hostname === null ? '' : ` on ${hostname}`}`,
    command: commandLine('service', 'restart', 'orchestrator'),
    effect: 'what is under way is taken over under a newer fence; nothing is lost',
    harm: 'low',
    needs: null,
  });
}

/** Told only beside a trouble: during an upgrade several versions run for a while. */
export const findVersionSkew: FindCauses = (view) => {
  if (view.snapshot.promotion.setAside === null && view.lateMs < LATE_MS_MAX) return [];
  const live = view.whole.workers.filter((worker) => isLive(worker, view.nowMs));
  const versions = [...new Set([...live.map((worker) => worker.version), view.whole.server.version])].sort();
  if (versions.length < 2) return [];
  const facts = [
    ...live
      .slice(0, 5)
      .map((worker) =>
        makeFact(
          'workers',
          `worker ${worker.id} on ${worker.hostname}`,
          `version ${worker.version}`,
          worker.heartbeatAtMs,
        ),
      ),
    makeFact('server', `server ${view.whole.server.hostname}`, `version ${view.whole.server.version}`, view.nowMs),
  ];
  const remedy = externalRemedy({
    text: 'bring all orchestrators to the newest of these versions, then restart each',
    command: commandLine('service', 'restart', 'orchestrator'),
    effect: 'an older version may not know what a newer one has written',
    harm: 'low',
    needs: null,
  });
  return [makeCause(view, 'worker.version_skew', { confidence: 'likely', facts, remedies: [remedy] })];
};

function aliveWords(worker: WorkerFacts, nowMs: number): string {
  const heartbeat = `last heartbeat ${agoWords(worker.heartbeatAtMs, nowMs)}, on ${worker.hostname}`;
  if (worker.state !== 'live') return `${worker.state}, ${heartbeat}`;
  return worker.leaseUntilMs > nowMs
    ? heartbeat
    : `its lease ran out ${agoWords(worker.leaseUntilMs, nowMs)}, ${heartbeat}`;
}

function agoWords(atMs: number, nowMs: number): string {
  return `${formatDuration(wholeSeconds(Math.max(0, nowMs - atMs)))} ago`;
}
