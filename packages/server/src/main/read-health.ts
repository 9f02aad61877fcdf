/** What `/readyz` and `/metrics` look at. Nothing here waits long for a database, nor fails because of it. */
import type { Settings } from '@stella/domain';
import type { ProgressReport } from '../http/route-handler.ts';
import type { MonitoredFacts } from '../metrics/fact-gauges.ts';
import { DRIFT_ENVIRONMENTS_MAX, STALLED_SERIES_MAX, WORKER_SERIES_MAX } from '../metrics/metric-definitions.ts';
import type { Clock } from '../ports/clock.ts';
import type { NotificationReads } from '../ports/notification-store.ts';
import type { OrchestratorFacts, ReadStore } from '../ports/read-store.ts';
import type { StallCauses } from './stall-causes.ts';
import type { WorkerSupervisor } from './worker-supervisor.ts';

/** So long they wait for the database: a scrape gives up after 10 s, a load balancer sooner. */
const ANSWER_TIMEOUT_MS = 2_000;

/** A worker whose loop did not reach the database for so long makes the server not ready (safety L5). */
const WORKER_IDLE_MS_MAX = 30_000;

export interface HealthDeps {
  readonly reads: ReadStore;
  readonly notifications: Pick<NotificationReads, 'listChannels'>;
  readonly settings: Settings;
  readonly clock: Clock;
  /** Asked only when something is stalled. */
  readonly readStallCauses: () => Promise<StallCauses>;
}

export async function readProgress(
  deps: HealthDeps,
  worker: WorkerSupervisor | null,
): Promise<readonly ProgressReport[]> {
  const facts = await answerSoon(deps.clock, readFacts(deps));
  const database: ProgressReport = {
    part: 'database',
    isReady: facts !== null,
    message: facts ? `PostgreSQL ${facts.databaseVersion} answers` : 'the database does not answer',
  };
  if (!worker) return [database];
  const idleMs = worker.idleMs();
  const isReady = idleMs !== null && idleMs < WORKER_IDLE_MS_MAX;
  const message = idleMs === null ? 'no worker runs' : `its loop turned ${Math.round(idleMs)} ms ago`;
  return [database, { part: 'worker', isReady, message }];
}

/** Null when the database does not answer in time. */
export async function readMonitoredFacts(deps: HealthDeps): Promise<MonitoredFacts | null> {
  const limits = { stalledCount: STALLED_SERIES_MAX, workerCount: WORKER_SERIES_MAX };
  const monitoring = deps.reads
    .readMonitoring(deps.settings['stuck.after'], limits)
    .then((facts) => ({ facts, serverNowMs: deps.clock.nowMs() }));
  const read = await answerSoon(
    deps.clock,
    Promise.all([
      readFacts(deps),
      monitoring,
      deps.notifications.listChannels(),
      deps.reads.listQuotas(null),
      deps.reads.countDrift(DRIFT_ENVIRONMENTS_MAX),
    ]),
  );
  if (read === null) return null;
  const [orchestrator, { facts, serverNowMs }, channels, quotas, drift] = read;
  const causes = facts.stalled.length === 0 ? null : await answerSoon(deps.clock, deps.readStallCauses());
  return { orchestrator, monitoring: facts, causes: causes ?? new Map(), channels, quotas, drift, serverNowMs };
}

function readFacts({ reads, settings }: HealthDeps): Promise<OrchestratorFacts> {
  return reads.readFacts(settings['stuck.after']);
}

/** Null when it fails or is late: for whoever asks, both mean that the database does not answer. */
function answerSoon<Answer>(clock: Clock, asked: Promise<Answer>): Promise<Answer | null> {
  return new Promise((resolve) => {
    const giveUp = clock.schedule(ANSWER_TIMEOUT_MS, () => resolve(null));
    const finish = (answer: Answer | null): void => {
      giveUp();
      resolve(answer);
    };
    asked.then(finish, () => finish(null));
  });
}
