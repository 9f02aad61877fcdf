/**
 * Locks on rows as PostgreSQL keeps them: alone or shared, in order of coming, until their transaction ends. Whoever
 * would close a circle of waiting is refused at once with 40P01, as PostgreSQL does after a second.
 */
import { DatabaseRefusal } from './database-refusal.ts';

/** `update`: alone. `share`: with others that share. */
export type RowLockMode = 'share' | 'update';

/** A transaction, as the locks see it. */
export interface LockOwner {
  readonly heldKeys: Set<string>;
  /** What it waits for; it waits for one lock at a time. */
  waiting: Waiting | null;
  /** Ends it, when it has been silent for longer than it may; by then the database has ended it. */
  endIfIdle?: () => void;
}

interface Waiting {
  readonly key: string;
  readonly mode: RowLockMode;
  readonly owner: LockOwner;
  readonly grant: () => void;
  readonly refuse: (error: Error) => void;
}

interface RowLock {
  readonly holders: Map<LockOwner, RowLockMode>;
  readonly queue: Waiting[];
}

export interface RowLocks {
  /** False when somebody else is in the way; nothing is waited for. */
  tryLock(owner: LockOwner, key: string, mode?: RowLockMode): boolean;
  /** Resolves when the lock is held. Rejects with 40P01, or with what `refuse` of the waiting is called with. */
  lock(owner: LockOwner, key: string, mode?: RowLockMode): Promise<void>;
  isHeld(key: string): boolean;
  /** Who holds the lock that this one waits for. */
  holdersBefore(owner: LockOwner): readonly LockOwner[];
  /** Ends a wait with an error. */
  refuse(owner: LockOwner, error: Error): void;
  /** At the end of a transaction; those that waited go on in their order. */
  releaseAll(owner: LockOwner): void;
}

export function makeRowLocks(): RowLocks {
  const locks = new Map<string, RowLock>();
  return {
    tryLock: (owner, key, mode = 'update') => {
      if (tryLock(locks, owner, key, mode)) return true;
      // Whoever only skips what is held does not wait until its holder is ended.
      for (const holder of locks.get(key)?.holders.keys() ?? []) if (holder !== owner) holder.endIfIdle?.();
      return tryLock(locks, owner, key, mode);
    },
    lock: (owner, key, mode = 'update') =>
      tryLock(locks, owner, key, mode) ? GRANTED : waitFor(locks, owner, key, mode),
    isHeld: (key) => locks.has(key),
    holdersBefore: (owner) => (owner.waiting ? [...(locks.get(owner.waiting.key)?.holders.keys() ?? [])] : []),
    refuse: (owner, error) => refuse(locks, owner, error),
    releaseAll: (owner) => {
      refuse(locks, owner, new Error('its transaction has ended'));
      for (const key of owner.heldKeys) release(locks, owner, key);
      owner.heldKeys.clear();
    },
  };
}

const GRANTED = Promise.resolve();

function tryLock(locks: Map<string, RowLock>, owner: LockOwner, key: string, mode: RowLockMode): boolean {
  const lock = locks.get(key);
  if (!lock) {
    locks.set(key, { holders: new Map([[owner, mode]]), queue: [] });
    owner.heldKeys.add(key);
    return true;
  }
  if (!isFree(lock, owner, mode)) return false;
  if (lock.holders.get(owner) !== 'update') lock.holders.set(owner, mode);
  owner.heldKeys.add(key);
  return true;
}

/** Sharers join sharers even while somebody waits to have the row alone: PostgreSQL lets them pass, too. */
function isFree(lock: RowLock, owner: LockOwner, mode: RowLockMode): boolean {
  for (const [holder, held] of lock.holders) {
    if (holder !== owner && (mode === 'update' || held === 'update')) return false;
  }
  return true;
}

function waitFor(locks: Map<string, RowLock>, owner: LockOwner, key: string, mode: RowLockMode): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiting: Waiting = { key, mode, owner, grant: resolve, refuse: reject };
    owner.waiting = waiting;
    locks.get(key)?.queue.push(waiting);
    if (!closesCircle(locks, owner)) return;
    refuse(locks, owner, new DatabaseRefusal('deadlock detected', { sqlState: '40P01' }));
  });
}

/** Follows who waits for whom, from the owner until it comes back to the owner. */
function closesCircle(locks: Map<string, RowLock>, owner: LockOwner): boolean {
  const seen = new Set<LockOwner>();
  const next = [owner];
  for (let one = next.pop(); one; one = next.pop()) {
    if (!one.waiting) continue;
    const lock = locks.get(one.waiting.key);
    const before = lock ? lock.queue.slice(0, lock.queue.indexOf(one.waiting)).map((other) => other.owner) : [];
    for (const other of [...(lock?.holders.keys() ?? []), ...before]) {
      if (other === one) continue;
      if (other === owner) return true;
      if (!seen.has(other)) next.push(other);
      seen.add(other);
    }
  }
  return false;
}

function refuse(locks: Map<string, RowLock>, owner: LockOwner, error: Error): void {
  const { waiting } = owner;
  if (!waiting) return;
  owner.waiting = null;
  const lock = locks.get(waiting.key);
  lock?.queue.splice(lock.queue.indexOf(waiting), 1);
  waiting.refuse(error);
  if (lock) admit(locks, waiting.key, lock);
}

function release(locks: Map<string, RowLock>, owner: LockOwner, key: string): void {
  const lock = locks.get(key);
  if (!lock) return;
  lock.holders.delete(owner);
  admit(locks, key, lock);
}

/** Those at the head of the queue that may go on. */
function admit(locks: Map<string, RowLock>, key: string, lock: RowLock): void {
  for (let [first] = lock.queue; first && isFree(lock, first.owner, first.mode); [first] = lock.queue) {
    lock.queue.shift();
    lock.holders.set(first.owner, first.mode);
    first.owner.heldKeys.add(key);
    first.owner.waiting = null;
    first.grant();
  }
  if (lock.holders.size === 0 && lock.queue.length === 0) locks.delete(key);
}
