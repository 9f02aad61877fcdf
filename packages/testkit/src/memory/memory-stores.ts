/**
 * A database in memory behind the ports of the engine, the commands, the debts, the notifications, the observations, the
 * probes and the sequencer: what a deterministic simulation runs the real engine on. The contract suite of the stores holds
 * for it as for PostgreSQL.
 */
import type {
  CommandStore,
  DebtStore,
  EngineStore,
  NotificationStore,
  ObservationStore,
  ProbeStore,
  SequencerStore,
} from '@stella/server';
import { makeMemoryCommandStore } from './memory-command-store.ts';
import { makeMemoryDebtStore } from './memory-debt-store.ts';
import { makeMemoryEngineStore } from './memory-engine-store.ts';
import { makeMemoryNotificationStore } from './memory-notification-store.ts';
import { makeMemoryObservationStore } from './memory-observation-store.ts';
import { makeMemoryProbeStore } from './memory-probe-store.ts';
import { makeMemorySequencerStore } from './memory-sequencer-store.ts';
import { breakConnections, type MemoryConnections, type MemoryStoresOptions } from './memory-session.ts';

export { DatabaseRefusal } from './database-refusal.ts';
export type { MemoryStoresOptions, WriteRecord } from './memory-session.ts';
export {
  endSession,
  isRowLocked,
  makeMemoryState,
  type MemoryState,
  POSTMASTER_START,
  putEnvironment,
  type StoredEvent,
  type StoredLock,
  type StoredPromotion,
  type StoredWorker,
} from './memory-state.ts';
export { putSetting } from './memory-settings.ts';
export { liveLocksOf, readSnapshot } from './memory-reads.ts';
export { type EventCache, toStoreState } from './to-store-state.ts';

/** What one server has of the database; several of them share one state. */
export interface MemoryStores {
  readonly engine: EngineStore;
  readonly commands: CommandStore;
  readonly debts: DebtStore;
  readonly notifications: NotificationStore;
  readonly observations: ObservationStore;
  readonly probes: ProbeStore;
  readonly sequencer: SequencerStore;
  /**
   * Breaks every connection of this server, as its death or its network does: open transactions are rolled back and
   * their locks go, and whoever still waits for them hears `database.unavailable`. Later calls connect anew.
   */
  disconnect(): void;
}

export function makeMemoryStores(options: MemoryStoresOptions): MemoryStores {
  const connections: MemoryConnections = {
    ...options,
    settings: options.settings ?? options.state.settings,
    open: new Set(),
  };
  return {
    engine: makeMemoryEngineStore(connections),
    commands: makeMemoryCommandStore(connections),
    debts: makeMemoryDebtStore(connections),
    notifications: makeMemoryNotificationStore(connections),
    observations: makeMemoryObservationStore(connections),
    probes: makeMemoryProbeStore(connections),
    sequencer: makeMemorySequencerStore(connections),
    disconnect: () => breakConnections(connections),
  };
}
