/** The contract's place in memory. */
import { AppError, STANDARD_SETTINGS } from '@stella/domain';
import { makeSeededIds, TEST_EPOCH_MS } from '@stella/testkit';
import {
  endSession,
  makeMemoryState,
  makeMemoryStores,
  type MemoryState,
  type MemoryStores,
} from '@stella/testkit/memory';
import { nodeClock } from '../../src/system/node-clock.ts';
import { dumpMemory } from './memory-dump.ts';
import type { StoreControl, StoreWorld } from './store-world.ts';

const SEED = 1;

export interface MemoryStoreWorld extends StoreWorld {
  readonly state: () => MemoryState;
  /** Of promotions that are due since the same moment these are claimed first. */
  prefer(ids: readonly string[]): void;
}

export function openMemoryStoreWorld(): MemoryStoreWorld {
  const place = { state: makeMemoryState(STANDARD_SETTINGS), nowMs: TEST_EPOCH_MS, isLosing: false, sessions: 0 };
  let preferred: readonly string[] = [];
  let ids = makeSeededIds(SEED, () => place.nowMs);
  const connect = () =>
    makeMemoryStores({
      state: place.state,
      ids: { next: (prefix) => ids.next(prefix) },
      nowMs: () => place.nowMs,
      clock: nodeClock,
      compareDue: (a, b) => Number(preferred.includes(b)) - Number(preferred.includes(a)),
      turn: (point) => {
        // A turn of the event loop, so that transactions meet.
        const isLost = place.isLosing && point.endsWith('.committed');
        if (isLost) place.isLosing = false;
        return new Promise((resolve, reject) => {
          setImmediate(() => (isLost ? reject(new AppError('database.unavailable')) : resolve()));
        });
      },
    });
  let stores = connect();
  const control: StoreControl = {
    nowMs: () => place.nowMs,
    pass: (durationMs) => {
      place.nowMs += durationMs;
      return Promise.resolve();
    },
    openSession: () => {
      place.sessions += 1;
      const { postmasterStart } = place.state;
      const session = { pid: place.sessions, backendStart: postmasterStart, postmasterStart };
      return Promise.resolve({
        session,
        end: () => Promise.resolve(endSession(place.state, session)),
      });
    },
    loseNextCommit: () => {
      place.isLosing = true;
    },
    reset: () => {
      place.state = makeMemoryState(STANDARD_SETTINGS);
      place.nowMs = TEST_EPOCH_MS;
      place.isLosing = false;
      ids = makeSeededIds(SEED, () => place.nowMs);
      stores = connect();
      return Promise.resolve();
    },
    dump: () => Promise.resolve(dumpMemory(place.state)),
  };
  return withStores(() => stores, {
    ids: { next: (prefix) => ids.next(prefix) },
    control,
    state: () => place.state,
    prefer: (promotionIds) => {
      preferred = promotionIds;
    },
    close: () => Promise.resolve(),
  });
}

type PortName = 'engine' | 'commands' | 'debts' | 'notifications' | 'observations' | 'probes' | 'sequencer';

/** Asks for the stores each time: a reset connects anew. */
function withStores(storesNow: () => MemoryStores, rest: Omit<MemoryStoreWorld, PortName>): MemoryStoreWorld {
  return {
    ...rest,
    get engine() {
      return storesNow().engine;
    },
    get commands() {
      return storesNow().commands;
    },
    get debts() {
      return storesNow().debts;
    },
    get notifications() {
      return storesNow().notifications;
    },
    get observations() {
      return storesNow().observations;
    },
    get probes() {
      return storesNow().probes;
    },
    get sequencer() {
      return storesNow().sequencer;
    },
  };
}
