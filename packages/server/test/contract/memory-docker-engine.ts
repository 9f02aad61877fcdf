/**
 * A Docker engine in memory, with the registry that it pulls from: passes the same contract suite as the real one. Tests
 * cut its stream at any request, before or after it was carried out, as the death of a worker does.
 */
import { createHash } from 'node:crypto';
import {
  type ContainerSpec,
  type DockerEngine,
  type EngineContainer,
  EngineFailure,
  type EngineImage,
} from '../../src/ports/docker-engine.ts';
import type { RegistryLogin } from '../../src/ports/registry-credentials.ts';

export interface MemoryImage {
  /** As of a registry: `registry/repository`. */
  readonly repository: string;
  readonly digest: string;
  /** Of the configuration; by default made of the digest. */
  readonly id?: string;
  /** `healthy` and `unhealthy` say so at once after the start. */
  readonly health?: 'healthy' | 'unhealthy' | 'starting';
  /** Its program ends at once with this exit code. */
  readonly exitCode?: number;
  /** The engine cannot start it, and says this. */
  readonly startError?: string;
}

interface Container extends EngineContainer {
  readonly spec: ContainerSpec;
  readonly image: MemoryImage | null;
}

export interface MemoryDockerHost {
  /** What can be pulled; remove from it to lose the registry's content. */
  readonly registry: MemoryImage[];
  /** Answers of the registry in place of content: `unauthorized: …`. */
  registryError: string | null;
  readonly containers: readonly EngineContainer[];
  readonly logins: readonly (RegistryLogin | null)[];
  /** A stream to it. `isCut` is asked before and after each request: true ends the stream there. */
  open(isCut?: (request: string, when: 'before' | 'after') => boolean): DockerEngine;
  /** An image that came from no registry. */
  build(id: string): void;
  specOf(container: string): ContainerSpec | null;
}

export function makeMemoryDockerHost(): MemoryDockerHost {
  const host = new MemoryHost();
  return host;
}

class MemoryHost implements MemoryDockerHost {
  readonly registry: MemoryImage[] = [];
  registryError: string | null = null;
  readonly logins: (RegistryLogin | null)[] = [];
  private readonly images = new Map<string, { readonly image: EngineImage; readonly origin: MemoryImage | null }>();
  private readonly byId = new Map<string, Container>();
  private startCount = 0;
  private createCount = 0;

  get containers(): readonly EngineContainer[] {
    return [...this.byId.values()];
  }

  build(id: string): void {
    this.images.set(id, { image: { id, repoDigests: [], hasHealthCheck: false }, origin: null });
  }

  specOf(container: string): ContainerSpec | null {
    return this.find(container)?.spec ?? null;
  }

  open(isCut: (request: string, when: 'before' | 'after') => boolean = () => false): DockerEngine {
    let isOver = false;
    const carryOut = async <Answer>(request: string, run: () => Answer): Promise<Answer> => {
      const end = (): never => {
        isOver = true;
        throw new EngineFailure(null, 'the stream has ended');
      };
      await Promise.resolve();
      if (isOver || isCut(request, 'before')) end();
      const answer = run();
      if (isCut(request, 'after')) end();
      return answer;
    };
    return {
      facts: () =>
        carryOut('facts', () => ({ version: '20.10.24', apiVersion: '1.41', os: 'linux', architecture: 'amd64' })),
      storePath: () => carryOut('storePath', () => '/var/lib/docker'),
      findImage: (reference) => carryOut('findImage', () => this.findImage(reference)),
      pull: (repository, digest, login) => carryOut('pull', () => this.pull(repository, digest, login)),
      list: (labels) => carryOut('list', () => this.list(labels)),
      inspect: (container) => carryOut('inspect', () => this.find(container)),
      create: (name, spec) => carryOut('create', () => this.create(name, spec)),
      start: (id) => carryOut('start', () => this.start(id)),
      stop: (id) => carryOut('stop', () => this.stop(id)),
      rename: (id, name) => carryOut('rename', () => this.rename(id, name)),
      remove: (id) => carryOut('remove', () => void this.byId.delete(id)),
      close: () => {
        isOver = true;
      },
    };
  }

  private findImage(reference: string): EngineImage | null {
    const known = [...this.images.values()].find(
      ({ image }) => image.id === reference || image.repoDigests.includes(reference),
    );
    return known?.image ?? null;
  }

  private pull(repository: string, digest: string, login: RegistryLogin | null): void {
    this.logins.push(login);
    if (this.registryError !== null) throw new EngineFailure(500, this.registryError);
    const origin = this.registry.find((one) => one.repository === repository && one.digest === digest);
    if (!origin) throw new EngineFailure(404, `manifest for ${repository}@${digest} not found: manifest unknown`);
    const id = origin.id ?? memoryImageId(digest);
    const before = this.images.get(id)?.image.repoDigests ?? [];
    const repoDigests = [...new Set([...before, `${repository}@${digest}`])];
    this.images.set(id, { image: { id, repoDigests, hasHealthCheck: origin.health !== undefined }, origin });
  }

  private list(labels: Readonly<Record<string, string>>): readonly string[] {
    const wanted = Object.entries(labels);
    return this.containers
      .filter((one) => wanted.every(([name, value]) => one.labels[name] === value))
      .map(({ id }) => id);
  }

  private find(container: string): Container | null {
    return [...this.byId.values()].find((one) => one.id === container || one.name === container) ?? null;
  }

  private get(id: string): Container {
    const container = this.find(id);
    if (!container) throw new EngineFailure(404, `No such container: ${id}`);
    return container;
  }

  private create(name: string, spec: ContainerSpec): string {
    const image = this.findImage(spec.Image);
    if (!image) throw new EngineFailure(404, `No such image: ${spec.Image}`);
    if (this.find(name)) throw new EngineFailure(409, `Conflict. The container name "/${name}" is already in use`);
    this.createCount += 1;
    const id = createHash('sha256').update(`container ${this.createCount}`).digest('hex');
    this.byId.set(id, {
      id,
      name,
      imageId: image.id,
      labels: spec.Labels,
      state: 'created',
      startedAt: '0001-01-01T00:00:00Z',
      exitCode: 0,
      error: '',
      health: 'none',
      healthOutput: '',
      spec,
      image: this.images.get(image.id)?.origin ?? null,
    });
    return id;
  }

  private start(id: string): void {
    const container = this.get(id);
    if (container.state === 'running') return;
    const { image } = container;
    if (image?.startError !== undefined) {
      this.byId.set(id, { ...container, error: image.startError });
      throw new EngineFailure(500, image.startError);
    }
    this.startCount += 1;
    const exitCode = image?.exitCode ?? 0;
    this.byId.set(id, {
      ...container,
      state: image?.exitCode === undefined ? 'running' : 'exited',
      startedAt: `2026-01-01T00:00:00.${String(this.startCount).padStart(9, '0')}Z`,
      exitCode,
      health: image?.health ?? 'none',
    });
  }

  private stop(id: string): void {
    const container = this.get(id);
    if (container.state === 'running') this.byId.set(id, { ...container, state: 'exited', exitCode: 137 });
  }

  private rename(id: string, name: string): void {
    const container = this.get(id);
    if (container.name === name)
      throw new EngineFailure(400, 'Renaming a container with the same name as its current name');
    const other = this.find(name);
    if (other) throw new EngineFailure(409, `Conflict. The container name "/${name}" is already in use`);
    this.byId.set(id, { ...container, name });
  }
}

/** Of the configuration that the memory registry gives an artifact. */
export function memoryImageId(digest: string): string {
  return `sha256:${createHash('sha256').update(digest).digest('hex')}`;
}
