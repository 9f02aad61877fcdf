/** A `files` target on real directories: the real file system, registry and HTTP client, and releases as an OCI layout. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FilesTargetDefinition, parseArtifactReference, type ReleaseComponent } from '@stella/domain';
import { makeRegistry } from '../../src/registry/open-registry.ts';
import { linuxPlatform, pickManifest } from '../../src/registry/pick-manifest.ts';
import { type Faults, NO_FAULTS } from '../../src/ports/faults.ts';
import type { Logger } from '../../src/ports/logger.ts';
import type { OpenHost } from '../../src/ports/target-host.ts';
import type { Target, TargetCall } from '../../src/ports/target.ts';
import { findProgram } from '../../src/gates/find-program.ts';
import { makeHttpClient } from '../../src/system/http-client.ts';
import { makeLocalHost } from '../../src/system/local-host.ts';
import { makeNetworkProbe } from '../../src/system/network-probe.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { nodeRandom } from '../../src/system/node-random.ts';
import { type UnpackLimits, UNPACK_LIMITS } from '../../src/targets/files/entry-path.ts';
import { openFilesTarget } from '../../src/targets/files-target.ts';
import { makeSecrets } from '../../src/webhooks/read-secret.ts';
import type { TargetDeps } from '../../src/targets/target-deps.ts';
import { NOTHING_DECLARED } from './nothing-declared.ts';

const CALL_TIMEOUT_MS = 20_000;

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

const NO_CONTAINERS = {
  engineSockets: [],
  openEngine: () => {
    throw new Error('the kind files has no engine');
  },
  secrets: makeSecrets({ env: {}, fileSystem: nodeFileSystem, clock: nodeClock, directory: '/nowhere' }),
  loginOf: () => Promise.resolve(null),
  pickManifestFor: pickManifest,
};

export interface TargetPlace {
  readonly root: string;
  /** The target's directory. */
  readonly directory: string;
  readonly layout: string;
  readonly remove: () => void;
}

export function makeTargetPlace(): TargetPlace {
  const root = mkdtempSync(join(tmpdir(), 'stella-target-'));
  return {
    root,
    directory: join(root, 'web'),
    layout: join(root, 'shop'),
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}

export interface TargetOptions {
  readonly definition?: Partial<FilesTargetDefinition>;
  readonly faults?: Faults;
  readonly limits?: UnpackLimits;
  readonly allowedDirectories?: readonly string[];
  /** Where a target with a host runs; by default on this machine. */
  readonly openHost?: OpenHost;
}

export function targetDeps(place: Pick<TargetPlace, 'root' | 'layout'>, options: TargetOptions = {}): TargetDeps {
  const http = makeHttpClient({ allowedRanges: ['127.0.0.0/8'] });
  const registry = makeRegistry({
    accesses: NOTHING_DECLARED,
    http,
    fileSystem: nodeFileSystem,
    clock: nodeClock,
    layoutRoots: [place.layout],
  });
  return {
    http,
    network: makeNetworkProbe({ allowedRanges: ['127.0.0.0/8'] }),
    registry,
    fileSystem: nodeFileSystem,
    clock: nodeClock,
    random: nodeRandom,
    logger: SILENT,
    faults: options.faults ?? NO_FAULTS,
    pickManifest: (index, repository) => pickManifest(index, linuxPlatform('x64'), repository),
    openHost: options.openHost ?? (() => makeLocalHost({ home: place.root })),
    findProgram: (wish) => findProgram({ fileSystem: nodeFileSystem, commandDirectories: [place.root] }, wish),
    allowedDirectories: options.allowedDirectories ?? [place.root],
    scratchDirectory: place.root,
    ...NO_CONTAINERS,
  };
}

export function openTarget(place: Omit<TargetPlace, 'remove'>, options: TargetOptions = {}): Target {
  const definition: FilesTargetDefinition = {
    name: 'web',
    kind: 'files',
    component: 'web',
    directory: place.directory,
    keepCount: 3,
    health: null,
    ...options.definition,
  };
  return openFilesTarget(definition, 'prod', targetDeps(place, options), options.limits ?? UNPACK_LIMITS);
}

/** The component `web` with the artifact that the tag names in the place's layout. */
export async function componentOf(place: Pick<TargetPlace, 'root' | 'layout'>, tag: string): Promise<ReleaseComponent> {
  const { registry } = targetDeps(place);
  const reference = parseArtifactReference(`oci-layout:${place.layout}:${tag}`);
  const { source, digest, mediaType } = await registry.resolve(reference);
  return { name: 'web', source, digest, mediaType, tag };
}

export function call(timeoutMs: number = CALL_TIMEOUT_MS): TargetCall {
  return { signal: new AbortController().signal, timeoutMs };
}

/** What a web server that knows only the directory would send; null when there is nothing. */
export function pageIn({ directory }: Pick<TargetPlace, 'directory'>, name = 'index.html'): string | null {
  const path = join(directory, 'current', name);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

/** Names below the target's own folder, empty when it is not there. */
export function namesIn(
  { directory }: Pick<TargetPlace, 'directory'>,
  ...folder: readonly string[]
): readonly string[] {
  const path = join(directory, ...folder);
  return existsSync(path) ? readdirSync(path).sort() : [];
}
