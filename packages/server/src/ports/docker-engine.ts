/** A Docker engine, as far as targets need it; spoken to over one stream, which somebody else has opened. */
import type { Duplex } from 'node:stream';
import type { RegistryLogin } from './registry-credentials.ts';

/**
 * `status` is that of HTTP when the engine said no; null when nothing came back, so that it may have done what it was
 * asked. Never holds what was sent.
 */
export class EngineFailure extends Error {
  readonly status: number | null;
  constructor(status: number | null, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EngineFailure';
    this.status = status;
  }
}

export interface EngineFacts {
  /** Of the engine, `20.10.24`. */
  readonly version: string;
  /** Of its API, `1.41`. */
  readonly apiVersion: string;
  /** As OCI names them: `linux`, `amd64`. */
  readonly os: string;
  readonly architecture: string;
}

export interface EngineImage {
  /** Of its configuration, or of its manifest: that depends on how the engine keeps images. */
  readonly id: string;
  /** `registry/repository@sha256:…`, one for each way on which its bytes came; empty for what was built there. */
  readonly repoDigests: readonly string[];
  readonly hasHealthCheck: boolean;
}

export const CONTAINER_STATES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'] as const;
export type ContainerState = (typeof CONTAINER_STATES)[number];

export interface EngineContainer {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  /** By the engine's clock, as it writes it: another one after each start. */
  readonly startedAt: string;
  readonly exitCode: number;
  /** Why the engine could not start it; empty when it could. */
  readonly error: string;
  /** `none`: it has no health check. */
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  /** What its health check said last; empty when it said nothing. */
  readonly healthOutput: string;
}

/** A container before it is created; the words of the Docker Engine API, `POST /containers/create`. */
export interface ContainerSpec {
  readonly [key: string]: unknown;
  readonly Image: string;
  readonly Labels: Readonly<Record<string, string>>;
}

/**
 * Requests go one after another over the one stream. Every method rejects with `EngineFailure` and by nothing else, also
 * when the stream ends or the signal aborts; each has a deadline of its own but `pull`, which the signal alone ends.
 * What is not there is null where the answer may be null.
 */
export interface DockerEngine {
  facts(): Promise<EngineFacts>;
  /** Absolute path of what it stores, on its own machine. */
  storePath(): Promise<string>;
  findImage(reference: string): Promise<EngineImage | null>;
  /** `repository` with its registry. The engine checks every byte against the digest. */
  pull(repository: string, digest: string, login: RegistryLogin | null): Promise<void>;
  /** Ids of containers in any state that have all of the labels. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly string[]>;
  /** By id or name. */
  inspect(container: string): Promise<EngineContainer | null>;
  /** Answers the id. */
  create(name: string, spec: ContainerSpec): Promise<string>;
  /** Nothing when it runs already. */
  start(id: string): Promise<void>;
  /** SIGKILL after so long; nothing when it does not run. */
  stop(id: string, timeoutMs: number): Promise<void>;
  rename(id: string, name: string): Promise<void>;
  /** With its anonymous volumes, also while it runs. Nothing when it is gone already. */
  remove(id: string): Promise<void>;
  /** Ends the stream. */
  close(): void;
}

/** Owns the stream from now on. `signal` ends what is under way and the stream. */
export type OpenDockerEngine = (stream: Duplex, signal: AbortSignal) => DockerEngine;
