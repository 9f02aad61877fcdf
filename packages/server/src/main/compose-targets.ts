/** The kinds of targets on the real world. */
import { tmpdir } from 'node:os';
import type { ServerConfig } from '../config/server-config.ts';
import type { Faults } from '../ports/faults.ts';
import type { HttpClient } from '../ports/http-client.ts';
import type { Logger } from '../ports/logger.ts';
import type { NetworkProbe } from '../ports/network-probe.ts';
import type { Registry } from '../ports/registry.ts';
import type { RegistryAccesses } from '../ports/registry-credentials.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { OpenHost } from '../ports/target-host.ts';
import type { OpenTarget } from '../ports/target.ts';
import { linuxPlatform, pickManifest } from '../registry/pick-manifest.ts';
import { openDockerEngine } from '../system/docker-engine.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeRandom } from '../system/node-random.ts';
import { makeOpenTarget } from '../targets/open-target.ts';
import type { FindProgram } from '../targets/target-deps.ts';

export interface TargetParts {
  readonly config: Pick<ServerConfig, 'dataDir' | 'role' | 'targetDirectories' | 'engineSockets'>;
  readonly http: HttpClient;
  readonly network: NetworkProbe;
  readonly registry: Registry;
  readonly secrets: Secrets;
  readonly accesses: RegistryAccesses;
  readonly openHost: OpenHost;
  readonly findProgram: FindProgram;
  readonly logger: Logger;
  readonly faults: Faults;
}

export function composeTargets({ config, accesses, ...parts }: TargetParts): OpenTarget {
  return makeOpenTarget({
    ...parts,
    fileSystem: nodeFileSystem,
    clock: nodeClock,
    random: nodeRandom,
    pickManifest: (index, repository) => pickManifest(index, linuxPlatform(process.arch), repository),
    pickManifestFor: pickManifest,
    allowedDirectories: config.targetDirectories,
    // A worker of its own has no data directory.
    scratchDirectory: config.role === 'worker' ? tmpdir() : config.dataDir,
    engineSockets: config.engineSockets,
    openEngine: openDockerEngine,
    loginOf: async (host) => (await accesses.accessTo(host)).login,
  });
}
