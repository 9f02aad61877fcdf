/** What the doctor may look at from this server, and what the server was allowed at its start. */
import { join } from 'node:path';
import type { ServerConfig } from '../config/server-config.ts';
import type { DoctorDeps } from '../doctor/check.ts';
import type { ProbeStore } from '../ports/probe-store.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { Prober } from '../probes/prober.ts';
import { makeAddressCheck } from '../system/address-check.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { isStateCovered } from '../targets/command-place.ts';
import { isEngineAllowed } from '../targets/docker/engine-session.ts';
import { findPlace } from '../targets/files/open-place.ts';
import { ADMIN_TOKEN_FILE, RECOVERY_KEY_FILE } from './first-admin.ts';

/** The doctor changes nothing: what it sees is told, and not kept. */
export const KEEPS_NOTHING: ProbeStore = {
  recordProbes: () => Promise.resolve([]),
  listProbes: () => Promise.resolve([]),
};

export interface DoctorWays {
  readonly prober: Prober | null;
  readonly probes: ProbeStore;
  readonly secrets: Secrets | null;
}

export function makeDoctorReach(
  { dataDir, outgoingAllow, targetDirectories, engineSockets, tls }: ServerConfig,
  { prober, probes, secrets }: DoctorWays,
): Pick<DoctorDeps, 'probing' | 'reach' | 'secretFiles' | 'secrets'> {
  const place = { fileSystem: nodeFileSystem, allowedDirectories: targetDirectories };
  return {
    secrets,
    probing: { prober, listProbes: (environment) => probes.listProbes(environment) },
    reach: {
      coversAddress: makeAddressCheck(outgoingAllow),
      coversTarget(target) {
        if (target.kind === 'files') {
          if (target.host) return Promise.resolve(true);
          return findPlace(place, target).then(
            () => true,
            () => false,
          );
        }
        const isEngine = target.kind === 'command' || isEngineAllowed(target, engineSockets);
        return Promise.resolve(isEngine && isStateCovered(place, target));
      },
    },
    secretFiles: [
      join(dataDir, ADMIN_TOKEN_FILE),
      join(dataDir, RECOVERY_KEY_FILE),
      ...(tls === null ? [] : [tls.keyFile]),
    ],
  };
}
