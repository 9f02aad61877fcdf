/**
 * What a registry is told of us: declared by documents of `kind: Registry`, its secrets read at each use and kept nowhere.
 * Nothing here may be logged, shown or written to a disk.
 */
import type { Digest, RegistryDefinition } from '@stella/domain';

export type RegistryLogin =
  | { readonly username: string; readonly password: string }
  /** Sent as `Bearer` to the registry itself. */
  | { readonly token: string };

/** How a registry is spoken to, ready for a connection. */
export interface RegistryAccess {
  /** `https://registry.example:5000`. */
  readonly origin: string;
  /** Certificates in PEM that are believed there; null: the system's. */
  readonly ca: string | null;
  /** Who we are there; null: nobody has declared it, or it is asked as anybody. */
  readonly login: RegistryLogin | null;
}

export interface RegistryAccesses {
  /**
   * Of `registry.example:5000`. Errors: `registry.credentials` when the secret cannot be read, `registry.tls` when the
   * certificates cannot, `database.unavailable`.
   */
  accessTo(registryHost: string): Promise<RegistryAccess>;
}

/** A declared registry as it is stored. */
export interface RegistryRecord {
  readonly definition: RegistryDefinition;
  /** 1, 2, 3 …, one per applied change. */
  readonly version: number;
  readonly hash: Digest;
  readonly appliedAtMs: number;
}
