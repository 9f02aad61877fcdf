/** `stella orch status` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { textView } from '../../view.ts';
import { ageOf } from '../show-age.ts';
import { stateOfWorker } from './worker-state.ts';

type Orchestrator = Answer<'getOrchestrator'>;

export const orchStatus: CommandSpec = {
  path: ['orch', 'status'],
  summary: 'State of the orchestrator: workers, queue, audit chain',
  kind: 'read',
  async run({ connect, show }) {
    const { client, server } = await connect();
    const answer = await client.call('getOrchestrator');
    show(textView({ name: server, data: answer, text: () => describe(answer, server) }));
    return undefined;
  },
};

/** What somebody should look at. */
function troublesOf({ stalledCount, setAsideCount }: Orchestrator): string {
  const stalled = stalledCount > 0 ? `, ${stalledCount} STALLED` : '';
  return setAsideCount > 0 ? `${stalled}, ${setAsideCount} SET ASIDE` : stalled;
}

function debtsOf({ openDebtCount }: Orchestrator): string {
  if (openDebtCount === 0) return 'every gate of what runs has passed';
  return `${openDebtCount} OPEN: gates skipped and not passed since; see: stella environment list`;
}

function describe(orchestrator: Orchestrator, server: string): string {
  const { version, now, database, promotions, workers, chain } = orchestrator;
  const nowMs = Date.parse(now);
  const live = workers.filter((worker) => stateOfWorker(worker, nowMs) === 'live');
  const counts = Object.entries(promotions).map(([status, count]) => `${count} ${status}`);
  const due =
    orchestrator.oldestDueAt === null
      ? 'nothing waits for a worker'
      : `oldest due for ${ageOf(nowMs, orchestrator.oldestDueAt)}`;
  return [
    `Server      ${server}, version ${version}`,
    `Database    PostgreSQL ${database.version}${database.isEmbedded ? ', embedded' : ''}, schema ${database.schemaVersion}`,
    `Promotions  ${counts.join(', ') || 'none live'}${troublesOf(orchestrator)}`,
    `Queue       ${due}`,
    `Locks       ${orchestrator.liveLockCount} live`,
    `Debts       ${debtsOf(orchestrator)}`,
    `Audit       ${chain.lastSeq} events chained, ${chain.unsequencedCount} not yet`,
    `Workers     ${live.length} live`,
    ...workers.map(
      (worker) =>
        `            ${worker.id} ${stateOfWorker(worker, nowMs)} on ${worker.hostname}, ${worker.claimCount} claims, heartbeat ${ageOf(nowMs, worker.heartbeatAt)} ago`,
    ),
  ].join('\n');
}
