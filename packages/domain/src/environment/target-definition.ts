/** What targets are, and where they run; one type per kind. */
import type { CommandArgv } from './command-argv.ts';
import type { ComposeOptions } from './compose-options.ts';
import type { DockerOptions } from './docker-options.ts';
import type { ContainerHealthCheck, HealthCheck } from './health-check.ts';

/** A host that is reached over SSH. Its key is always checked: at least one of `hostKey` and `knownHosts` is there. */
export interface SshHostDefinition {
  /** Name or address; checked against the ranges of all ways out when it is connected to. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Where the private key is: `env:STELLA_SECRET_…` or `file:/…`. */
  readonly key: string;
  /** Fingerprint of the host's key as `ssh-keygen -l` prints it, `SHA256:…`. */
  readonly hostKey?: string;
  /** A file of the orchestrator's machine in the format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
  readonly knownHosts?: string;
}

export interface TargetHostDefinition {
  readonly ssh: SshHostDefinition;
}

interface TargetCommon {
  /** Unique in its environment, `[a-z0-9-]{1,63}`. */
  readonly name: string;
}

interface OfOneComponent extends TargetCommon {
  /** The one component of the release that this target runs; `componentsOf` tells it of every kind. */
  readonly component: string;
}

/** Unpacks the layers of one component's OCI artifact into a directory, switched by an atomic symlink `current`. */
export interface FilesTargetDefinition extends OfOneComponent {
  readonly kind: 'files';
  /** Absent: this machine. */
  readonly host?: TargetHostDefinition;
  /** Absolute. Holds `current`, `releases/` and `.stella/`, on a host its fence, too. */
  readonly directory: string;
  /** Unpacked releases that stay on disk, the running one included. Default 3. */
  readonly keepCount: number;
  readonly health: HealthCheck | null;
}

/**
 * Three programs of the user, run on the host without a shell: one brings the digest in, one brings an earlier one back, one
 * says what runs. They are told target, component, digest and operation in variables `STELLA_…`.
 */
export interface CommandTargetDefinition extends OfOneComponent {
  readonly kind: 'command';
  /** Absent: this machine. */
  readonly host?: TargetHostDefinition;
  readonly deploy: CommandArgv;
  /** Absent: `deploy`, with the earlier digest. */
  readonly rollback?: CommandArgv;
  /** Prints the digest that runs, or nothing when none does. */
  readonly observe: CommandArgv;
  /** Absolute. Absent: `targets/<environment>/<name>` below `/var/lib/stella`, or of an ordinary user's state. */
  readonly stateDirectory?: string;
  readonly health: HealthCheck | null;
}

/**
 * One container of the component, by digest, on the Docker engine of a host. What belongs to a container alone is in
 * `DockerOptions`.
 */
export interface DockerTargetDefinition extends OfOneComponent, DockerOptions {
  readonly kind: 'docker';
  /** Absent: this machine. */
  readonly host?: TargetHostDefinition;
  /** As of a command target. */
  readonly stateDirectory?: string;
  readonly health: HealthCheck | ContainerHealthCheck | null;
}

/** A project of Compose on the Docker engine of a host: several components, each image by digest. */
export interface ComposeTargetDefinition extends TargetCommon, ComposeOptions {
  readonly kind: 'compose';
  /** Absent: this machine. */
  readonly host?: TargetHostDefinition;
  /** As of a command target. Locks, one per deploy, are kept in it. */
  readonly stateDirectory?: string;
  readonly health: HealthCheck | ContainerHealthCheck | null;
}

export const TARGET_KINDS = ['files', 'command', 'docker', 'compose'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];
export type TargetDefinition =
  | FilesTargetDefinition
  | CommandTargetDefinition
  | DockerTargetDefinition
  | ComposeTargetDefinition;
