/** What the targets are given from outside. */
import type { Clock } from '../ports/clock.ts';
import type { EngineFacts, OpenDockerEngine } from '../ports/docker-engine.ts';
import type { Faults } from '../ports/faults.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { HttpClient } from '../ports/http-client.ts';
import type { NetworkProbe } from '../ports/network-probe.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import type { ArtifactDocument, Descriptor, Registry } from '../ports/registry.ts';
import type { RegistryLogin } from '../ports/registry-credentials.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { OpenHost } from '../ports/target-host.ts';
import type { TargetFaultPoint } from './fault-points.ts';

/**
 * The manifest of an index that fits the machine that the targets run on. `repository` is named in errors. Throws
 * `registry.bad_manifest`.
 */
export type PickManifest = (index: Extract<ArtifactDocument, { kind: 'index' }>, repository: string) => Descriptor;

export type FindProgram = (wish: {
  readonly program: string;
  readonly directory: string | null;
}) => Promise<
  | { readonly isThere: true; readonly program: string }
  | { readonly isThere: false; readonly code: string; readonly message: string }
>;

export interface TargetDeps {
  readonly fileSystem: FileSystem;
  readonly http: HttpClient;
  readonly network: Pick<NetworkProbe, 'connect'>;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly faults: Faults;
  readonly pickManifest: PickManifest;
  readonly openHost: OpenHost;
  /** Where a program of this machine is, or why it is not run. */
  readonly findProgram: FindProgram;
  /** Absolute; a target's directory must be one of them or below one, also after all symlinks. Empty: none may be used. */
  readonly allowedDirectories: readonly string[];
  /** Of this machine: what goes to a host over SSH lies there on its way, without a name. */
  readonly scratchDirectory: string;
  /** Of engines of this machine. Empty: none may be used. */
  readonly engineSockets: readonly string[];
  readonly openEngine: OpenDockerEngine;
  readonly secrets: Secrets;
  /** What a registry is told of us by an engine that pulls; null: it is asked as anybody. Rejects when a secret is missing. */
  readonly loginOf: (registry: string) => Promise<RegistryLogin | null>;
  /** As `pickManifest`, for the platform of an engine. */
  readonly pickManifestFor: (
    index: Extract<ArtifactDocument, { kind: 'index' }>,
    platform: Pick<EngineFacts, 'os' | 'architecture'>,
    repository: string,
  ) => Descriptor;
}

/** As `faults.hit`, for names that are listed in `fault-points.ts` only. */
export async function hitFault({ faults }: Pick<TargetDeps, 'faults'>, point: TargetFaultPoint): Promise<void> {
  await faults.hit(point);
}

/** A short random name part, lower-case hex; 32 bits keep the few names of one directory apart. */
export function randomSuffix({ random }: Pick<TargetDeps, 'random'>): string {
  return Buffer.from(random.bytes(4)).toString('hex');
}
