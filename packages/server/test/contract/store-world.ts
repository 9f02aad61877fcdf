/** What the store contract needs of a place: the ports, and a hand on clock, sessions and commits. */
import type { IdSource, PromotionSnapshot, RoleBinding } from '@stella/domain';
import type { CommandStore } from '../../src/ports/command-store.ts';
import type { DebtStore } from '../../src/ports/debt-store.ts';
import type { EngineStore, WorkerSession } from '../../src/ports/engine-store.ts';
import type { NotificationStore } from '../../src/ports/notification-store.ts';
import type { ObservationStore } from '../../src/ports/observation-store.ts';
import type { ProbeStore } from '../../src/ports/probe-store.ts';
import type { SequencerStore } from '../../src/ports/sequencer-store.ts';

export interface StoreWorld {
  readonly engine: EngineStore;
  readonly commands: CommandStore;
  readonly debts: DebtStore;
  readonly notifications: NotificationStore;
  readonly observations: ObservationStore;
  readonly probes: ProbeStore;
  readonly sequencer: SequencerStore;
  /** Also those that the store itself draws. */
  readonly ids: IdSource;
  readonly control: StoreControl;
  close(): Promise<void>;
}

export interface OpenWorkerSession {
  readonly session: WorkerSession;
  /** As the death of the process does. */
  end(): Promise<void>;
}

export interface StoreControl {
  /** The database's clock, which moves by `pass` only. */
  nowMs(): number;
  pass(durationMs: number): Promise<void>;
  openSession(): Promise<OpenWorkerSession>;
  /** The next transaction commits, and its caller hears `database.unavailable`. */
  loseNextCommit(): void;
  /** Empties the database and begins its sequences, its clock and its ids anew. */
  reset(): Promise<void>;
  /** All rows as they are committed, in the same words and order from every store. */
  dump(): Promise<StoreDump>;
}

/** Tables by name; rows in order of their keys. Values of JSON. */
export type StoreDump = Readonly<Record<string, readonly DumpRow[]>>;
export type DumpRow = Readonly<Record<string, unknown>>;

/** A snapshot whose bindings have an order: of a person's rights the database promises none. */
export function inOrder(snapshot: PromotionSnapshot): PromotionSnapshot {
  const byRole = (bindings: readonly RoleBinding[]): readonly RoleBinding[] =>
    [...bindings].sort((a, b) => (a.role === b.role ? 0 : a.role < b.role ? -1 : 1));
  return {
    ...snapshot,
    approvals: snapshot.approvals.map((one) => ({ ...one, bindingsNow: byRole(one.bindingsNow) })),
    skips: snapshot.skips.map((one) => ({ ...one, deciderBindingsNow: byRole(one.deciderBindingsNow) })),
  };
}
