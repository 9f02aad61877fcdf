/** What each check makes of what it sees. */
import { type GateDefinition, parseDigest } from '@stella/domain';
import { makeDefinition, makeEmptyEnvironment, makeHttpGate, makeSeededIds } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { ChannelHealth } from '../ports/notification-store.ts';
import type {
  EnvironmentRow,
  GateStats,
  LockRow,
  MonitoringFacts,
  OrchestratorFacts,
  QuotaRow,
  SettingChange,
  WorkerRow,
} from '../ports/read-store.ts';
import type { Check, CheckFinding, DoctorDeps } from './check.ts';
import { clock } from './checks/clock.ts';
import { disk } from './checks/disk.ts';
import { gateTimeout } from './checks/gate-timeout.ts';
import { jobHealth } from './checks/job-health.ts';
import { locks } from './checks/locks.ts';
import { notifications } from './checks/notifications.ts';
import { postgres } from './checks/postgres.ts';
import { quotaStatus } from './checks/quota-status.ts';
import { timeBudget } from './checks/time-budget.ts';
import { workers } from './checks/workers.ts';
import { freeDisk, HEALTHY_FACTS, HEALTHY_MONITORING, HEALTHY_NOW_MS, healthyDeps } from './healthy-deps.ts';

const ids = makeSeededIds(1);

interface World {
  readonly facts?: Partial<OrchestratorFacts>;
  readonly monitoring?: Partial<MonitoringFacts>;
  readonly database?: Partial<MonitoringFacts['database']>;
  readonly locks?: readonly LockRow[];
  readonly workers?: readonly WorkerRow[];
  readonly gates?: readonly GateDefinition[];
  readonly changes?: readonly SettingChange[];
  readonly stats?: readonly GateStats[];
  readonly quotas?: readonly QuotaRow[];
  readonly deps?: Partial<DoctorDeps>;
}

function look(check: Check, world: World = {}): Promise<CheckFinding> {
  const database = { ...HEALTHY_MONITORING.database, ...world.database };
  const deps: DoctorDeps = {
    ...healthyDeps(),
    audit: {
      takeLiveTurn: () => Promise.resolve(null),
      takeSweepTurn: () => Promise.resolve(null),
      look: () => Promise.resolve([]),
      readFacts: () => Promise.resolve({ nowMs: 0, known: [], liveEndedAtMs: null, sweepEndedAtMs: null }),
    },
    reads: {
      ...healthyDeps().reads,
      readFacts: () => Promise.resolve({ ...HEALTHY_FACTS, ...world.facts }),
      readMonitoring: () => Promise.resolve({ ...HEALTHY_MONITORING, ...world.monitoring, database }),
      listEnvironments: () => Promise.resolve((world.gates ?? []).map(environmentWith)),
      listSettings: () => Promise.resolve(world.changes ?? []),
      readGateStats: ({ gate }) => Promise.resolve((world.stats ?? []).filter((one) => one.gate === gate)),
      listQuotas: () => Promise.resolve(world.quotas ?? []),
      listLocks: () => Promise.resolve(world.locks ?? []),
      listWorkers: () => Promise.resolve(world.workers ?? []),
    },
    ...world.deps,
  };
  return check.look(deps, new AbortController().signal);
}

/** `prod` with one gate. */
function environmentWith(gate: GateDefinition): EnvironmentRow {
  const definition = makeDefinition({ name: 'prod', gates: [gate] });
  return {
    definition,
    version: 1,
    hash: parseDigest(`sha256:${'0'.repeat(64)}`),
    appliedAtMs: 0,
    status: makeEmptyEnvironment('prod'),
    releaseName: null,
    releaseNames: {},
    debts: [],
  };
}

function statsOf(change: Partial<GateStats>): GateStats {
  const counts = { attemptCount: 10, passedCount: 10, failedCount: 0, timeoutCount: 0, errorCount: 0, openCount: 0 };
  return { gate: 'tests', environment: 'prod', ...counts, p50Ms: 40, p95Ms: 90, maxMs: 95, isCut: false, ...change };
}

function worker(change: Partial<WorkerRow> = {}): WorkerRow {
  return {
    id: ids.next('wrk'),
    hostname: 'a',
    version: '1.0.0',
    state: 'live',
    startedAtMs: 0,
    heartbeatAtMs: HEALTHY_NOW_MS - 2_000,
    leaseUntilMs: HEALTHY_NOW_MS + 13_000,
    claimCount: 1,
    ...change,
  };
}

function lock(change: Partial<LockRow> = {}): LockRow {
  return {
    id: ids.next('lck'),
    resource: 'environment:prod',
    mode: 'exclusive',
    promotionId: ids.next('prm'),
    environment: 'prod',
    step: 'deploy',
    workerId: null,
    fence: { epoch: 1, n: 4 },
    acquiredAtMs: HEALTHY_NOW_MS - 5_000,
    heartbeatAtMs: null,
    isStale: false,
    waiters: [],
    ...change,
  };
}

describe('check.orchestrator.job-health', () => {
  it('fails for a stalled promotion, and names the command that explains it', async () => {
    const promotionId = ids.next('prm');
    const summary = 'a gate does not answer in time (gate.slow)';
    const stalled = [{ promotionId, environment: 'prod', sinceProgressMs: 840_600, summary, firstCause: null }];
    const diagnoser = { diagnoseStalled: () => Promise.resolve(stalled) };
    const finding = await look(jobHealth, { facts: { stalledCount: 1 }, deps: { diagnoser } });
    expect(finding).toMatchObject({ status: 'fail', message: '1 stalled' });
    expect(finding.facts[0]).toEqual({ what: promotionId, value: `into prod, no progress for 14m: ${summary}` });
    expect(finding.remedy?.command).toBe(`stella promotion diagnose ${promotionId}`);
  });

  it('fails when due work is not claimed, or was set aside', async () => {
    const due = await look(jobHealth, { facts: { oldestDueAtMs: HEALTHY_NOW_MS - 31_000 } });
    expect(due).toMatchObject({ status: 'fail', message: 'due promotions are not claimed' });
    expect(await look(jobHealth, { facts: { setAsideCount: 2 } })).toMatchObject({ status: 'fail' });
  });

  it('passes however many wait for people', async () => {
    const finding = await look(jobHealth, { facts: { promotionsByStatus: { pending_approval: 900, scheduled: 3 } } });
    expect(finding).toMatchObject({ status: 'pass', message: '0 in progress, none stalled' });
  });
});

describe('check.orchestrator.time-budget', () => {
  const gate = makeHttpGate({ name: 'tests', timeoutMs: 300_000, retryCount: 2, backoffMs: 10_000 });

  it('warns of attempts beyond stuck.after with the arithmetic, and a setting that fits', async () => {
    const finding = await look(timeBudget, { gates: [gate] });
    expect(finding).toMatchObject({ status: 'warn', message: '1 may take longer than stuck.after' });
    expect(finding.facts[0]).toEqual({ what: 'prod/tests', value: '3 × 5m + 30s of pauses = 15m30s' });
    expect(finding.remedy?.command).toBe('stella orch config set environments.prod.gates.tests.retries 0');
  });

  it('fails for those that break the objective by themselves', async () => {
    const finding = await look(timeBudget, { gates: [{ ...gate, timeoutMs: 3_600_000, retryCount: 0 }] });
    expect(finding).toMatchObject({ status: 'fail' });
    expect(finding.remedy?.command).toBe('stella orch config set environments.prod.gates.tests.timeout 10m');
  });

  it('goes by the settings above the definition', async () => {
    const change = { version: 1, changedAtMs: 0, changedBy: { kind: 'system', name: 'test' }, reason: '' } as const;
    const key = 'gates.tests.timeout' as const;
    const found = await look(timeBudget, { gates: [gate], changes: [{ ...change, key, value: 60_000 }] });
    expect(found).toMatchObject({ status: 'pass', message: '1 gates fit into 10m' });
    const unset = await look(timeBudget, { gates: [gate], changes: [{ ...change, key, value: null }] });
    expect(unset).toMatchObject({ status: 'warn' });
  });
});

describe('check.orchestrator.quota-status', () => {
  const use = {
    limits: { perHour: null, perDay: 2, inProgress: null },
    timeZone: 'UTC',
    startsAtMs: [HEALTHY_NOW_MS - 1, HEALTHY_NOW_MS - 2],
    inProgress: [],
    startedIds: [],
  };
  const row = { environment: 'prod', definition: null, requests: [], use, waiting: {}, nowMs: HEALTHY_NOW_MS };

  it('passes while nobody waits, also when a quota is used up', async () => {
    expect(await look(quotaStatus, { quotas: [row] })).toMatchObject({ status: 'pass' });
  });

  it('warns of those who wait, with what is used and the command that shows it', async () => {
    const finding = await look(quotaStatus, { quotas: [{ ...row, waiting: { perDay: 3 } }] });
    expect(finding).toMatchObject({ status: 'warn', message: '3 wait for a quota' });
    expect(finding.facts).toEqual([{ what: 'prod', value: '3 wait; perDay 2 of 2' }]);
    expect(finding.remedy?.command).toBe('stella orch quota status --env prod');
  });
});

describe('check.orchestrator.gate-timeout', () => {
  const gates = [makeHttpGate({ name: 'tests' })];

  it.each([
    [{ timeoutCount: 1 }, 'pass'],
    [{ timeoutCount: 3 }, 'warn'],
    [{ timeoutCount: 9 }, 'fail'],
    [{ attemptCount: 2, timeoutCount: 2 }, 'pass'],
  ] as const)('%o of 10: %s', async (counts, status) => {
    expect(await look(gateTimeout, { gates, stats: [statsOf(counts)] })).toMatchObject({ status });
  });

  it('names the worst, and the command that asks it', async () => {
    const stats = [statsOf({ timeoutCount: 3 }), statsOf({ environment: 'dev', timeoutCount: 5 })];
    const finding = await look(gateTimeout, { gates, stats });
    expect(finding.message).toBe('tests of dev ran out of time in 50 % of its attempts');
    expect(finding.remedy?.command).toBe('stella orch connectivity --gate tests');
  });
});

describe('check.orchestrator.workers', () => {
  it('fails without a live one, whatever the dead say of themselves', async () => {
    expect(await look(workers)).toMatchObject({ status: 'fail', message: 'no worker lives' });
    const silent = worker({ leaseUntilMs: HEALTHY_NOW_MS - 1 });
    const finding = await look(workers, { workers: [silent] });
    expect(finding).toMatchObject({ status: 'fail', remedy: { command: 'stella service restart orchestrator' } });
  });

  it('warns of a dead one that holds promotions, a late one, and one of another version', async () => {
    const dead = worker({ state: 'dead', claimCount: 3 });
    expect(await look(workers, { workers: [worker(), dead] })).toMatchObject({
      status: 'warn',
      message: `${dead.id} is dead and holds 3`,
    });
    const late = worker({ heartbeatAtMs: HEALTHY_NOW_MS - 9_000 });
    expect(await look(workers, { workers: [worker(), late] })).toMatchObject({ status: 'warn' });
    const other = worker({ version: '0.9.0' });
    expect(await look(workers, { workers: [worker(), other] })).toMatchObject({
      status: 'warn',
      message: `${other.id} runs 0.9.0, this server 1.0.0`,
    });
  });

  it('passes with the dead that hold nothing', async () => {
    const rows = [worker(), worker({ state: 'dead', claimCount: 0 })];
    expect(await look(workers, { workers: rows })).toMatchObject({ status: 'pass', message: '1 live' });
  });
});

describe('check.orchestrator.locks', () => {
  it('fails for a stale one with the command that lets it go', async () => {
    const stale = lock({ isStale: true });
    const finding = await look(locks, { locks: [lock(), stale] });
    expect(finding).toMatchObject({ status: 'fail', message: '1 stale' });
    expect(finding.remedy?.command).toBe(`stella orch locks release ${stale.id} --force`);
  });

  it('warns of one that is held for very long, and passes for shared and young ones', async () => {
    const old = lock({ acquiredAtMs: HEALTHY_NOW_MS - 46 * 60_000 });
    expect((await look(locks, { locks: [old] })).remedy?.command).toBe(`stella promotion diagnose ${old.promotionId}`);
    const shared = lock({ mode: 'shared', resource: 'artifact:sha256:00', isStale: true });
    expect(await look(locks, { locks: [lock(), shared] })).toMatchObject({ status: 'pass' });
  });
});

describe('check.orchestrator.clock', () => {
  it.each([
    [0, 'pass'],
    [900, 'pass'],
    [3_000, 'warn'],
    [-3_600_000, 'fail'],
  ] as const)('a clock that is %s ms off: %s', async (skewMs, status) => {
    const clockOf = { ...healthyDeps().clock, nowMs: () => HEALTHY_NOW_MS + skewMs };
    expect(await look(clock, { deps: { clock: clockOf } })).toMatchObject({ status });
  });
});

describe('check.storage.postgres', () => {
  it.each([
    [{}, {}, 'pass'],
    [{ databaseVersion: '14.9' }, {}, 'fail'],
    [{}, { isWritable: false }, 'fail'],
    [{}, { connectionCount: 95 }, 'warn'],
  ] as const)('%o %o: %s', async (facts, database, status) => {
    expect(await look(postgres, { facts, database })).toMatchObject({ status });
  });
});

describe('check.storage.disk', () => {
  it.each([
    [0.5, 'pass'],
    [0.11, 'pass'],
    [0.09, 'warn'],
    [0.01, 'fail'],
  ] as const)('%s of it free: %s', async (share, status) => {
    expect(
      await look(disk, { deps: { fileSystem: { ...healthyDeps().fileSystem, statfs: freeDisk(share) } } }),
    ).toMatchObject({ status });
  });
});

function channelOf(name: string, health: Partial<ChannelHealth> = {}): ChannelHealth {
  const transport = { kind: 'webhook', url: 'http://a', secret: 'file:/a', timeoutMs: 1_000 } as const;
  return {
    definition: { name, events: ['promotion.stalled'], environments: ['*'], transport },
    version: 1,
    hash: parseDigest(`sha256:${'0'.repeat(64)}`),
    appliedAtMs: 0,
    pendingCount: 0,
    deadCount: 0,
    oldestPendingAtMs: null,
    failingCount: 0,
    lastDeliveredAtMs: null,
    lastFailure: '',
    ...health,
  };
}

describe('check.orchestrator.notifications', () => {
  const lookAt = (...channels: readonly ChannelHealth[]): Promise<CheckFinding> =>
    look(notifications, { deps: { notifications: { listChannels: () => Promise.resolve(channels) } } });

  it('says nothing where there are no channels, and passes where each is heard', async () => {
    expect(await lookAt()).toMatchObject({ status: 'skip' });
    expect(await lookAt(channelOf('a'), channelOf('b'))).toMatchObject({ status: 'pass' });
  });

  it('warns of what fails, and fails when a notice waits for long', async () => {
    const failing = { pendingCount: 2, failingCount: 1, lastFailure: 'status 500' };
    const soon = channelOf('room', { ...failing, oldestPendingAtMs: HEALTHY_NOW_MS - 60_000 });
    expect(await lookAt(channelOf('a'), soon)).toMatchObject({
      status: 'warn',
      message: 'channel room does not take its notices',
      facts: [{ what: 'room', value: '2 wait, the oldest for 1m, 0 given up: status 500' }],
      remedy: { command: 'stella notify test room' },
    });
    const late = channelOf('room', { ...failing, oldestPendingAtMs: HEALTHY_NOW_MS - 16 * 60_000 });
    expect(await lookAt(late)).toMatchObject({ status: 'fail' });
  });

  it('names what was given up', async () => {
    expect(await lookAt(channelOf('room', { deadCount: 3, lastFailure: 'status 410' }))).toMatchObject({
      status: 'warn',
      message: 'channel room lost notices',
      remedy: { command: 'stella notify deliveries --failed' },
    });
  });
});
