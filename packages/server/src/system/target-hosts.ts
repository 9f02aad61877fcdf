/** Where targets run: this machine, or hosts over SSH whose connections are kept together. */
import type { OpenHost } from '../ports/target-host.ts';
import type { Secrets } from '../ports/secrets.ts';
import { makeAddressCheck } from './address-check.ts';
import { makeLocalHost } from './local-host.ts';
import { makeSshHost } from './ssh-host.ts';
import { makeSshPool } from './ssh-pool.ts';

export interface TargetHosts {
  readonly openHost: OpenHost;
  /** Ends all connections. */
  close(): void;
}

/** `home`: of the user of this process. Throws `config.invalid` for a range that is none; null: every address. */
export function makeTargetHosts({
  secrets,
  allowedRanges,
  home,
}: {
  readonly secrets: Pick<Secrets, 'readPrivateKey'>;
  readonly allowedRanges: readonly string[] | null;
  readonly home: string;
}): TargetHosts {
  const deps = { secrets, isAllowed: makeAddressCheck(allowedRanges) };
  const pool = makeSshPool(deps);
  const local = makeLocalHost({ home });
  return {
    openHost: (host, target) => (host === null ? local : makeSshHost(target, host.ssh, { ...deps, pool })),
    close: () => pool.close(),
  };
}
