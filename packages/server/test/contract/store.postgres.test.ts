/** The store contract on the embedded PostgreSQL. */
import { openEmbeddedStoreWorld } from './embedded-store-world.ts';
import { describeStoreContract } from './store.contract.ts';

describeStoreContract('embedded PostgreSQL', openEmbeddedStoreWorld);
