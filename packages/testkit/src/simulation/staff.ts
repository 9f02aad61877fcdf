/** All workers of a simulation: who polls when, who fails when, who replaces whom, and when the others notice. */
import { type IdSource, isTerminal } from '@stella/domain';
import type { Scenario } from './scenario.ts';
import { makeSimulatedWorker, type SimulatedWorker, type WorkerWorld } from './simulated-worker.ts';

/** A worker looks for work this often when something may be due. */
const POLL_MS = 250;
/** A killed process is noticed by its session (safety L2) within this. */
const GONE_NOTICED_MS_MAX = 2_000;
/** A worker that stands still is declared dead when its lease has run out. */
const LEASE_MS = 15_000;
/** A dead worker whose row cannot be written now is declared dead a little later. */
const BURY_RETRY_MS = 5;

export interface Staff {
  start(): void;
  /** Something changed: somebody looks within the poll's time. */
  hint(): void;
}

interface Member {
  readonly worker: SimulatedWorker;
  nextPollAtMs: number;
  strikePoll: () => void;
}

export function makeStaff(world: WorkerWorld, scenario: Scenario, ids: IdSource): Staff {
  const { agenda, random, store, count } = world;
  const members: Member[] = [];

  const pollAt = (member: Member, delayMs: number): void => {
    const atMs = agenda.nowMs() + delayMs;
    if (member.nextPollAtMs <= atMs) return;
    member.strikePoll();
    member.nextPollAtMs = atMs;
    member.strikePoll = agenda.after(delayMs, () => {
      member.nextPollAtMs = Number.POSITIVE_INFINITY;
      member.worker.poll();
      if (member.worker.isAlive()) pollAt(member, untilDueMs(world) + random.between(1, POLL_MS));
    });
  };
  const hire = (): void => {
    const worker = makeSimulatedWorker(world, ids.next('wrk'));
    const member = { worker, nextPollAtMs: Number.POSITIVE_INFINITY, strikePoll: () => undefined };
    members.push(member);
    pollAt(member, random.between(1, POLL_MS));
  };
  const bury = (worker: SimulatedWorker): void => {
    if (store.state.workers.get(worker.id)?.state !== 'live') return;
    if (store.buryWorker(worker.id, agenda.nowMs())) {
      count('worker.buried');
      hint();
    } else {
      agenda.after(BURY_RETRY_MS, () => bury(worker));
    }
  };
  const hint = (): void => {
    for (const member of members) {
      if (member.worker.isAlive()) pollAt(member, untilDueMs(world) + random.between(1, POLL_MS));
    }
  };
  const replaceLater = (): void => void agenda.after(random.between(1, 5_000), hire);

  const fail = (plan: Scenario['faults'][number]): void => {
    const running = members.filter((member) => member.worker.isRunning());
    const member = running[plan.pick % Math.max(1, running.length)];
    if (!member) return;
    const { worker } = member;
    count(`fault.${plan.kind}`);
    if (plan.kind === 'kill') {
      worker.kill();
      agenda.after(random.between(100, GONE_NOTICED_MS_MAX), () => bury(worker));
      replaceLater();
    } else if (plan.kind === 'pause') {
      worker.pause();
      // The lease was renewed a while ago; a short pause is not noticed at all.
      const leftMs = LEASE_MS - random.between(0, 5_000);
      if (plan.lengthMs > leftMs) {
        agenda.after(leftMs, () => bury(worker));
        replaceLater();
      }
      agenda.after(plan.lengthMs, () => worker.resume());
    } else {
      worker.retire();
      replaceLater();
    }
  };

  return {
    hint,
    start: () => {
      for (let n = 0; n < scenario.workerCount; n += 1) hire();
      for (const plan of scenario.faults) agenda.after(plan.atMs, () => fail(plan));
    },
  };
}

/** Until a live promotion is due; nobody needs to look before, and a minute is long enough to know nothing. */
function untilDueMs({ store, agenda }: WorkerWorld): number {
  const moments = [...store.state.promotions.values()].flatMap(({ promotion }) =>
    isTerminal(promotion.status) ? [] : [promotion.nextActionAtMs ?? 0],
  );
  return Math.max(0, Math.min(60_000, ...moments.map((atMs) => atMs - agenda.nowMs())));
}
