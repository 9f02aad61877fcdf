/** A real engine, a real registry with images that really run, and `docker` targets on this machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  parseArtifactReference,
  type Digest,
  type DockerTargetDefinition,
  type ReleaseComponent,
} from '@stella/domain';
import {
  ask,
  busyboxImage,
  type DockerEngineProcess,
  type DockerPrograms,
  type DockerRegistry,
  findDockerPrograms,
  findDockerRegistry,
  findProgram,
  makeDockerTarget,
  type OciImage,
  startDockerEngine,
  startDockerRegistry,
  type WrittenImage,
  writeOciLayout,
} from '@stella/testkit';
import type { OpenDockerEngine } from '../../../packages/server/src/ports/docker-engine.ts';
import { findProgram as findTargetProgram } from '../../../packages/server/src/gates/find-program.ts';
import { NO_FAULTS } from '../../../packages/server/src/ports/faults.ts';
import type { HttpClient } from '../../../packages/server/src/ports/http-client.ts';
import type { Logger } from '../../../packages/server/src/ports/logger.ts';
import type { RegistryAccesses } from '../../../packages/server/src/ports/registry-credentials.ts';
import type { Target } from '../../../packages/server/src/ports/target.ts';
import type { OpenHost } from '../../../packages/server/src/ports/target-host.ts';
import type { TargetHarness } from '../../../packages/server/test/contract/target.contract.ts';
import { NOTHING_DECLARED } from '../../../packages/server/test/contract/nothing-declared.ts';
import { makeRegistry } from '../../../packages/server/src/registry/open-registry.ts';
import { linuxPlatform, pickManifest } from '../../../packages/server/src/registry/pick-manifest.ts';
import { openDockerEngine } from '../../../packages/server/src/system/docker-engine.ts';
import { makeHttpClient } from '../../../packages/server/src/system/http-client.ts';
import { makeLocalHost } from '../../../packages/server/src/system/local-host.ts';
import { makeNetworkProbe } from '../../../packages/server/src/system/network-probe.ts';
import { nodeClock } from '../../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../../packages/server/src/system/node-file-system.ts';
import { nodeRandom } from '../../../packages/server/src/system/node-random.ts';
import { openDockerTarget } from '../../../packages/server/src/targets/docker-target.ts';
import type { TargetDeps } from '../../../packages/server/src/targets/target-deps.ts';
import { makeSecrets } from '../../../packages/server/src/webhooks/read-secret.ts';

/** An operation takes a second; a machine that does much else needs longer. */
export const CALL_TIMEOUT_MS = 120_000;
export const SECRET = 'correct horse battery staple';

export interface DockerComponents {
  readonly programs: DockerPrograms;
  readonly registry: string;
}

/** Null when something is not installed. */
export function findComponents(): DockerComponents | null {
  const programs = findDockerPrograms();
  const registry = findDockerRegistry();
  return programs && registry && findProgram('busybox') ? { programs, registry } : null;
}

export interface Log {
  readonly lines: string[];
  readonly logger: Logger;
}

function makeLog(): Log {
  const lines: string[] = [];
  const note = (fields: object | string, message?: string): void =>
    void lines.push(
      `${JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? `${value.message} ${value.stack}` : value))} ${message ?? ''}`,
    );
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  return { lines, logger };
}

export interface TargetWish {
  readonly definition?: Partial<DockerTargetDefinition>;
  readonly openEngine?: OpenDockerEngine;
  readonly openHost?: OpenHost;
  readonly accesses?: RegistryAccesses;
  /** Of this machine, allowed in place of the world's. */
  readonly engineSocket?: string;
  readonly environment?: string;
}

export interface DockerWorld {
  readonly engine: DockerEngineProcess;
  readonly root: string;
  readonly log: Log;
  /** For targets of other kinds on the same engine. */
  deps(wish?: TargetWish): TargetDeps;
  registry(): DockerRegistry;
  /** Another one with the same artifacts, for those only whom a file of htpasswd names. */
  closedRegistry(htpasswd: string): Promise<DockerRegistry>;
  /** Pushes it, and answers the component that names it, `web` unless it has another name. */
  publish(
    image: Omit<OciImage, 'files' | 'layers' | 'command'> & { readonly args: readonly string[] },
    name?: string,
  ): Promise<ReleaseComponent & { readonly image: WrittenImage }>;
  open(name: string, wish?: TargetWish): Target;
  /** A container as the engine tells it, null when there is none. */
  inspect(container: string): Promise<InspectedContainer | null>;
  ask(method: string, path: string, body?: unknown): Promise<string>;
  close(): Promise<void>;
}

export interface InspectedContainer {
  readonly Id: string;
  readonly Image: string;
  readonly Config: {
    readonly Image: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Env: readonly string[];
  };
  readonly State: { readonly Status: string };
}

export async function makeDockerWorld({ programs, registry: registryProgram }: DockerComponents): Promise<DockerWorld> {
  const root = await mkdtemp(join(tmpdir(), 'stella-docker-'));
  const engine = await startDockerEngine(programs);
  const storage = join(root, 'registry');
  const registry = onceStopped(await startDockerRegistry(registryProgram, { storage }));
  const http = makeHttpClient({ allowedRanges: ['127.0.0.0/8'] });
  const log = makeLog();
  const deps: DockerWorld['deps'] = (wish = {}) =>
    makeDeps({ root, http, logger: log.logger, socket: engine.socket }, wish);
  const asking: DockerWorld['ask'] = async (method, path, body) => {
    const answer = await ask(engine.socket, method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer.body;
  };
  return {
    engine,
    root,
    log,
    deps,
    registry: () => registry,
    closedRegistry: (htpasswd) =>
      startDockerRegistry(registryProgram, { storage, auth: { htpasswd: { realm: 'here', path: htpasswd } } }),
    ask: asking,
    publish: (image, name = 'web') => publish({ registry, root, name }, image),
    open(name, { definition, environment = 'prod', ...wish } = {}) {
      const own = { ...definitionOf(name, engine.socket), stateDirectory: join(root, 'state', name) };
      return openDockerTarget({ ...own, ...definition }, environment, deps(wish));
    },
    async inspect(container) {
      const { status, body } = await ask(engine.socket, 'GET', `/containers/${container}/json`);
      // The engine's own form.
      return status === 404 ? null : (JSON.parse(body) as InspectedContainer);
    },
    async close() {
      await engine.stop();
      await registry.stop();
      await http.close();
      await rm(root, { recursive: true });
    },
  };
}

interface Around {
  readonly root: string;
  readonly http: HttpClient;
  readonly logger: Logger;
  readonly socket: string;
}

/** As the server has them, with this machine's engine allowed. */
function makeDeps({ root, http, logger, socket }: Around, wish: TargetWish): TargetDeps {
  const { accesses = NOTHING_DECLARED, engineSocket = socket } = wish;
  const [clock, fileSystem] = [nodeClock, nodeFileSystem];
  return {
    http,
    network: makeNetworkProbe({ allowedRanges: ['127.0.0.0/8'] }),
    registry: makeRegistry({ http, accesses, fileSystem, clock, layoutRoots: [] }),
    fileSystem,
    clock,
    random: nodeRandom,
    logger,
    faults: NO_FAULTS,
    pickManifest: (index, repository) => pickManifest(index, linuxPlatform(process.arch), repository),
    pickManifestFor: pickManifest,
    allowedDirectories: [root],
    scratchDirectory: root,
    findProgram: (program) => findTargetProgram({ fileSystem, commandDirectories: [root] }, program),
    engineSockets: [engineSocket],
    openHost: wish.openHost ?? (() => makeLocalHost({ home: root })),
    openEngine: wish.openEngine ?? openDockerEngine,
    secrets: makeSecrets({ env: { STELLA_SECRET_DB: SECRET }, fileSystem, clock, directory: root }),
    loginOf: async (host) => (await accesses.accessTo(host)).login,
  };
}

/** A target of the contract; its two artifacts are published before. */
export function dockerHarness(
  world: DockerWorld,
  name: string,
  components: TargetHarness['components'],
  wish: TargetWish = {},
): TargetHarness {
  return {
    open: () => world.open(name, wish),
    components,
    tamper: () => replaceByOther(world, name),
    remove: async () => {
      await world.ask('DELETE', `/containers/${name}?force=true`).catch(() => undefined);
    },
    callTimeoutMs: CALL_TIMEOUT_MS,
  };
}

/** Another image under the same name, with every label that the real one had. */
async function replaceByOther(world: DockerWorld, name: string): Promise<void> {
  const real = await world.inspect(name);
  const { Id } = JSON.parse(await world.ask('POST', `/commit?container=${name}&repo=other&tag=${name}`, {})) as {
    readonly Id: string;
  };
  await replaceBy(world, name, { image: Id, labels: real?.Config.Labels ?? {} });
}

/** What somebody does at the engine, beside Stella. */
export async function replaceBy(
  world: DockerWorld,
  name: string,
  { image, labels }: { readonly image: string; readonly labels: Readonly<Record<string, string>> },
): Promise<void> {
  await world.ask('DELETE', `/containers/${name}?force=true`);
  const spec = { Image: image, Labels: labels, HostConfig: { NetworkMode: 'none' } };
  const made = JSON.parse(await world.ask('POST', `/containers/create?name=${name}`, spec)) as { readonly Id: string };
  await world.ask('POST', `/containers/${made.Id}/start`);
}

/** May be stopped by a test, and is stopped again with the world. */
function onceStopped(registry: DockerRegistry): DockerRegistry {
  let stopping: Promise<void> | null = null;
  return {
    ...registry,
    stop() {
      stopping ??= registry.stop();
      return stopping;
    },
  };
}

function definitionOf(name: string, socket: string): DockerTargetDefinition {
  // busybox as the first process of a container heeds no SIGTERM.
  return makeDockerTarget({ name, container: name, socket, network: 'none', stopTimeoutMs: 0 });
}

async function publish(
  { registry, root, name }: { readonly registry: DockerRegistry; readonly root: string; readonly name: string },
  wanted: Parameters<DockerWorld['publish']>[0],
): ReturnType<DockerWorld['publish']> {
  const spec = await busyboxImage(wanted);
  const layout = join(root, 'layout');
  const [image] = spec ? await writeOciLayout(layout, [spec]) : [];
  if (!image) throw new Error('busybox is missing');
  await registry.push(layout, image, `shop/${name}`);
  const { source } = parseArtifactReference(`${registry.address}/shop/${name}:${wanted.tag}`);
  const { digest, mediaType } = image;
  return { name, source, digest: digest satisfies Digest, mediaType, tag: wanted.tag, image };
}
