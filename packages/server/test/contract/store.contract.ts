/** What every store must do, whoever keeps the rows: run on memory, the embedded PostgreSQL and Debian's PostgreSQL 15. */
import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { describeCallbackStore } from './store-callbacks.contract.ts';
import { describeClaimsOfStore } from './store-claims.contract.ts';
import { describeCommandStore } from './store-commands.contract.ts';
import { describeComponentsOfStore } from './store-components.contract.ts';
import { describeDebtStore } from './store-debts.contract.ts';
import { describeEngineStore } from './store-engine.contract.ts';
import { describeNotificationStore } from './store-notifications.contract.ts';
import { describeObservationStore } from './store-observations.contract.ts';
import { describeProbeStore } from './store-probes.contract.ts';
import { describeQuotasOfStore } from './store-quotas.contract.ts';
import { describeRegistriesOfStore } from './store-registries.contract.ts';
import { describeSequencerStore } from './store-sequencer.contract.ts';
import { describeSoaksOfStore } from './store-soaks.contract.ts';
import { describeWakesOfStore } from './store-wakes.contract.ts';
import type { StoreWorld } from './store-world.ts';

export function describeStoreContract(placeName: string, openWorld: () => Promise<StoreWorld>): void {
  describe(`store contract: ${placeName}`, () => {
    let world: StoreWorld;
    beforeAll(async () => {
      world = await openWorld();
    });
    beforeEach(() => world.control.reset());
    afterAll(() => world?.close());
    describeCallbackStore(() => world);
    describeClaimsOfStore(() => world);
    describeComponentsOfStore(() => world);
    describeDebtStore(() => world);
    describeEngineStore(() => world);
    describeCommandStore(() => world);
    describeNotificationStore(() => world);
    describeObservationStore(() => world);
    describeProbeStore(() => world);
    describeQuotasOfStore(() => world);
    describeRegistriesOfStore(() => world);
    describeSequencerStore(() => world);
    describeSoaksOfStore(() => world);
    describeWakesOfStore(() => world);
  });
}
