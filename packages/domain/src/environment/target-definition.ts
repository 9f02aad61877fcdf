/** What targets are, and where they run; one type per kind. */
import type { HealthCheck } from './health-check.ts';

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
  /** The one component of the release that this target runs. */
  readonly component: string;
  readonly health: HealthCheck | null;
}

/** Unpacks the layers of one component's OCI artifact into a directory, switched by an atomic symlink `current`. */
export interface FilesTargetDefinition extends TargetCommon {
  readonly kind: 'files';
  /** Absolute. Holds `current`, `releases/` and `.stella/`. */
  readonly directory: string;
  /** Unpacked releases that stay on disk, the running one included. Default 3. */
  readonly keepCount: number;
}

export const TARGET_KINDS = ['files'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];
export type TargetDefinition = FilesTargetDefinition;
