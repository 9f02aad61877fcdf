/** How a registry of artifacts is spoken to: who we are there, whose certificates are believed. Without one it is asked as anybody. */
import { canonicalJson, type Json } from '../values/canonical-json.ts';
import { type Digest, digestOf } from '../values/digest.ts';

/** Secrets stand here by reference, `env:STELLA_SECRET_…` or `file:/…`, and are read at each use. */
export type RegistryLoginDefinition =
  | {
      /** Sent as it is where the registry asks for `Basic`, and to the token server that it names for `Bearer`. */
      readonly kind: 'password';
      readonly username: string;
      readonly password: string;
    }
  /** Sent as `Bearer` to the registry itself. */
  | { readonly kind: 'token'; readonly token: string };

export interface RegistryDefinition {
  /** As references name it: `registry.example.org`, `127.0.0.1:5000`. Unique, lower case. */
  readonly host: string;
  /** Null: as anybody. */
  readonly login: RegistryLoginDefinition | null;
  /** Reference to certificates in PEM that are believed there beside the usual authorities; null: only those. */
  readonly ca: string | null;
  /** Only on loopback; everywhere else, and without it, TLS. */
  readonly isPlainHttp: boolean;
}

/** An installation knows a few; the bound keeps lists and the apply small. */
export const REGISTRY_COUNT_MAX = 50;

const LOOPBACK = /^(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]+)?$/;

/** `127.0.0.1:5000` → true. Names are not looked up, so nobody's answer makes another machine this one. */
export function isLoopbackRegistry(host: string): boolean {
  return LOOPBACK.test(host);
}

/**
 * `registry.example` → `https://registry.example`. A registry of this machine that nobody has declared is asked without TLS,
 * as container tools do.
 */
export function registryOrigin(host: string, definition: RegistryDefinition | null): string {
  const isPlain = isLoopbackRegistry(host) && (definition === null || definition.isPlainHttp);
  return `${isPlain ? 'http' : 'https'}://${host}`;
}

/** Equal definitions have equal hashes. */
export function registryHash(definition: RegistryDefinition): Digest {
  // A definition is a plain JSON value.
  return digestOf(canonicalJson(definition as unknown as Json));
}

/** The reference of the secret that goes there; null: none does. */
export function registrySecretOf({ login }: RegistryDefinition): string | null {
  if (login === null) return null;
  return login.kind === 'token' ? login.token : login.password;
}
