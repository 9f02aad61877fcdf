/** What tests of checks begin with: an orchestrator on which all is well. */
import { AppError, STANDARD_SETTINGS } from '@stella/domain';
import type { MonitoringFacts, OrchestratorFacts } from '../ports/read-store.ts';
import type { DoctorDeps } from './check.ts';

export const HEALTHY_NOW_MS = 1_000_000;

export const HEALTHY_FACTS: OrchestratorFacts = {
  databaseNowMs: HEALTHY_NOW_MS,
  databaseVersion: '18.0',
  schemaVersion: 5,
  installationEpoch: 1,
  promotionsByStatus: { in_progress: 2, pending_approval: 7 },
  stalledCount: 0,
  setAsideCount: 0,
  oldestDueAtMs: HEALTHY_NOW_MS - 200,
  liveLockCount: 0,
  openDebtCount: 0,
  unsequencedEventCount: 0,
  lastSeq: 9,
  violationsByProperty: {},
  sweepEndedAtMs: null,
};

export const HEALTHY_MONITORING: MonitoringFacts = {
  stalled: [],
  failedRollbacks: [],
  liveWorkerCount: 1,
  liveWorkers: [],
  database: {
    nowMs: HEALTHY_NOW_MS,
    isWritable: true,
    connectionCount: 5,
    connectionCountMax: 100,
    sizeBytes: 40_000_000,
  },
};

export function healthyDeps(): Omit<DoctorDeps, 'audit'> {
  return {
    reads: {
      readFacts: () => Promise.resolve(HEALTHY_FACTS),
      readMonitoring: () => Promise.resolve(HEALTHY_MONITORING),
      findRelease: (name) => Promise.reject(new AppError('release.not_found', { details: { name } })),
      listApprovers: () => Promise.resolve([]),
      listDeployments: () => Promise.resolve([]),
      listEnvironments: () => Promise.resolve([]),
      listSettings: () => Promise.resolve([]),
      readGateStats: () => Promise.resolve([]),
      listQuotas: () => Promise.resolve([]),
      listLocks: () => Promise.resolve([]),
      listObservations: () => Promise.resolve([]),
      listWorkers: () => Promise.resolve([]),
    },
    readArtifact: null,
    notifications: { listChannels: () => Promise.resolve([]) },
    diagnoser: { diagnoseStalled: () => Promise.resolve([]) },
    clock: {
      nowMs: () => HEALTHY_NOW_MS,
      monotonicMs: () => 0,
      schedule: () => () => undefined,
      timeoutSignal: () => new AbortController().signal,
    },
    settings: STANDARD_SETTINGS,
    fileSystem: { statfs: freeDisk(0.5), stat: fileOfMode(0o600) },
    probing: { listProbes: () => Promise.resolve([]), prober: null },
    reach: null,
    secrets: null,
    secretFiles: ['/var/lib/stella/admin.token'],
    dataDir: '/var/lib/stella',
    about: { version: '1.0.0', isEmbedded: true },
  };
}

/** A disk of 100 GiB of which this share is free. */
export function freeDisk(share: number): DoctorDeps['fileSystem']['statfs'] {
  const blocks = 100 * 1_024;
  const disk = { type: 0, bsize: 1_048_576, blocks, bfree: blocks * share, bavail: blocks * share, files: 1, ffree: 1 };
  // Node's own has two more forms, for big integers, which nobody here asks for.
  return (() => Promise.resolve(disk)) as unknown as DoctorDeps['fileSystem']['statfs'];
}

/** Every file is of this mode. */
export function fileOfMode(mode: number): DoctorDeps['fileSystem']['stat'] {
  // Of Node's own only this is looked at.
  return (() => Promise.resolve({ mode: 0o100_000 | mode })) as unknown as DoctorDeps['fileSystem']['stat'];
}
