/**
 * The database between the engine and the store in memory: it decides when each statement and each commit gets its turn,
 * and what goes wrong with it. Reads and writes are the store's own.
 */
import { AppError } from '@stella/domain';
import type { MemoryState } from '@stella/testkit';
import type { FaultMix } from './fault-mix.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** As `store/connection.ts` sets it: a statement that is not answered by then has failed, whatever it did. */
const QUERY_TIMEOUT_MS = 12_000;
const RESTART_MS_MAX = 5_000;
const READ_ONLY_MS_MAX = 20_000;
const FULL_DISK_MS_MAX = 20_000;
const FULL_DISK_PERCENT = 70;
/** A killed client's session is gone from `pg_stat_activity` within this. */
export const SESSION_GONE_MS_MAX = 1_500;

/** An error with a state, as the driver throws it. */
class StatementError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'StatementError';
    this.code = code;
  }
}

export interface SimulatedDatabase {
  readonly state: MemoryState;
  /** `turn` of the store for one process. */
  turnOf(client: DatabaseClient): (point: string) => Promise<void>;
  /** All sessions end; for a while nobody can connect; the next postmaster is another one. */
  restart(): void;
  /** Writes are refused for a while, as on a standby. */
  makeReadOnly(): void;
  /** Most writes fail for a while: sometimes there is room for a little one. */
  fillDisk(): void;
  /** Nothing of this client arrives for so long, nor any answer; the others go on. */
  cutOff(client: DatabaseClient, lengthMs: number): void;
  /** Until the client reaches it again; 0: it does. */
  cutOffMsLeft(client: Pick<DatabaseClient, 'name'>): number;
  /** Runs right after each commit, before anything else. */
  onCommitted: (client: DatabaseClient, point: string) => void;
  readonly counts: Map<string, number>;
  isFaulty: boolean;
}

export interface DatabaseClient {
  readonly name: string;
  readonly process: SimulatedProcess;
  /** Breaks its connections. */
  disconnect: () => void;
  /** The worker's own session ends. */
  loseSession: () => void;
}

export interface DatabaseOptions {
  readonly scheduler: Scheduler;
  readonly state: MemoryState;
  readonly mix: FaultMix;
  /** Of a hundred turns so many take no time. */
  readonly instantPercent: number;
  readonly clients: readonly DatabaseClient[];
}

export function makeDatabase(options: DatabaseOptions): SimulatedDatabase {
  return new Database(options);
}

class Database implements SimulatedDatabase {
  readonly state: MemoryState;
  readonly counts = new Map<string, number>();
  isFaulty = true;
  onCommitted: (client: DatabaseClient, point: string) => void = () => undefined;
  private readonly options: DatabaseOptions;
  private downUntilMs = 0;
  private readOnlyUntilMs = 0;
  private fullUntilMs = 0;
  /** By name of the client. */
  private readonly cutOffUntilMs = new Map<string, number>();
  private restartCount = 0;

  constructor(options: DatabaseOptions) {
    this.options = options;
    this.state = options.state;
  }

  turnOf(client: DatabaseClient): (point: string) => Promise<void> {
    // The client's next process has turns of its own.
    const { process } = client;
    const commits = new Set<() => void>();
    process.onDeath(() => {
      // The commit of a client that dies while it waits for the answer may have been sent: then it happens all the same.
      for (const settle of commits) if (this.options.scheduler.random.chance(50)) settle();
    });
    return (point) => {
      const isCommitted = point.endsWith('.committed');
      if (isCommitted) this.onCommitted(client, point);
      const fault = this.partitionAt(client) ?? this.faultAt(point, isCommitted);
      const latencyMs = fault?.afterMs ?? this.latencyMs();
      return new Promise((resolve, reject) => {
        const settle = (): void => {
          commits.delete(settle);
          const trouble = fault ?? this.faultNow(client, isCommitted);
          if (trouble) reject(this.note(trouble));
          else resolve();
        };
        if (point.endsWith('.commit')) commits.add(settle);
        if (latencyMs > 0) process.enterAfter(latencyMs, settle);
        else process.enter(settle);
      });
    };
  }

  private note({ kind, error }: Trouble): Error {
    this.count(kind);
    return error;
  }

  restart(): void {
    const { scheduler, clients } = this.options;
    this.count('database.restart');
    this.restartCount += 1;
    this.state.postmasterStart = `2026-01-01 00:00:${String(this.restartCount).padStart(2, '0')}+00`;
    this.downUntilMs = scheduler.nowMs() + scheduler.random.between(100, RESTART_MS_MAX);
    for (const client of clients) {
      client.disconnect();
      client.loseSession();
    }
  }

  makeReadOnly(): void {
    const { scheduler } = this.options;
    this.count('database.read_only');
    this.readOnlyUntilMs = scheduler.nowMs() + scheduler.random.between(500, READ_ONLY_MS_MAX);
  }

  fillDisk(): void {
    const { scheduler } = this.options;
    this.count('database.disk_full');
    this.fullUntilMs = scheduler.nowMs() + scheduler.random.between(500, FULL_DISK_MS_MAX);
  }

  cutOff({ name }: DatabaseClient, lengthMs: number): void {
    this.count('database.partition');
    this.cutOffUntilMs.set(name, this.options.scheduler.nowMs() + lengthMs);
  }

  cutOffMsLeft({ name }: Pick<DatabaseClient, 'name'>): number {
    if (!this.isFaulty) return 0;
    return Math.max(0, (this.cutOffUntilMs.get(name) ?? 0) - this.options.scheduler.nowMs());
  }

  /** Packets are dropped, so that nothing is heard until the client gives up; or a router says so. */
  private partitionAt(client: DatabaseClient): Trouble | null {
    if (this.cutOffMsLeft(client) === 0) return null;
    const isSilent = this.options.scheduler.random.chance(50);
    return isSilent ? unavailable('partition.silent', QUERY_TIMEOUT_MS) : unavailable('partition.refused');
  }

  private latencyMs(): number {
    const { scheduler, instantPercent, mix } = this.options;
    const { random } = scheduler;
    if (this.isFaulty && random.chance(mix.slowDatabase)) {
      this.count('database.slow');
      return random.between(500, 11_000);
    }
    return random.chance(instantPercent) ? 0 : random.fraction() * 4;
  }

  /** Drawn when the statement is sent. */
  private faultAt(point: string, isCommitted: boolean): Trouble | null {
    const { mix, scheduler } = this.options;
    const { random } = scheduler;
    if (!this.isFaulty) return null;
    if (isCommitted) return random.chance(mix.ambiguousCommit) ? unavailable('commit.ambiguous') : null;
    if (random.chance(mix.connectionReset)) return unavailable('connection.reset');
    if (random.chance(mix.poolExhausted)) return unavailable('pool.exhausted', random.between(1_000, 5_000));
    if (random.chance(mix.serialization)) {
      return refused('serialization', '40001', 'could not serialize access due to concurrent update');
    }
    if (random.chance(mix.deadlock)) return refused('deadlock', '40P01', 'deadlock detected');
    if (random.chance(mix.slowDatabase / 4)) return unavailable('query.timeout', QUERY_TIMEOUT_MS);
    if (this.readOnlyUntilMs > scheduler.nowMs() && isWrite(point)) {
      // The store says so of 25006: it is the database's trouble, and no fault of what was to be written.
      return unavailable('read_only');
    }
    if (this.fullUntilMs > scheduler.nowMs() && isWrite(point) && random.chance(FULL_DISK_PERCENT)) {
      // Likewise of 53100.
      return unavailable('disk_full');
    }
    return null;
  }

  /** What is so when the statement arrives. */
  private faultNow(client: DatabaseClient, isCommitted: boolean): Trouble | null {
    if (this.cutOffMsLeft(client) > 0) return unavailable(isCommitted ? 'commit.ambiguous' : 'partition.refused');
    const isDown = this.downUntilMs > this.options.scheduler.nowMs();
    return isDown ? unavailable(isCommitted ? 'commit.ambiguous' : 'database.down') : null;
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

interface Trouble {
  readonly kind: string;
  readonly error: Error;
  readonly afterMs?: number;
}

function unavailable(kind: string, afterMs = 0): Trouble {
  const error = new AppError('database.unavailable', { details: { message: kind } });
  return afterMs > 0 ? { kind, error, afterMs } : { kind, error };
}

function refused(kind: string, code: string, message: string): Trouble {
  return { kind, error: new StatementError(code, message) };
}

/** Statements that lock or write are refused by a standby; those that only read are not. */
function isWrite(point: string): boolean {
  return !/\.(read|reread|guard|commit|committed|granted)$/.test(point);
}
