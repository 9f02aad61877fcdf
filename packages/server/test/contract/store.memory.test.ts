/** The store contract in memory: what the simulation runs the engine on. */
import { openMemoryStoreWorld } from './memory-store-world.ts';
import { describeStoreContract } from './store.contract.ts';

describeStoreContract('memory', () => Promise.resolve(openMemoryStoreWorld()));
