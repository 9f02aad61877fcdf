/** Registries of which nobody has declared anything: asked as anybody. */
import type { RegistryAccesses } from '../../src/ports/registry-credentials.ts';
import { makeRegistryAccesses } from '../../src/registry/registry-accesses.ts';

const unread = (): Promise<never> => Promise.reject(new Error('nothing declares a secret'));

export const NOTHING_DECLARED: RegistryAccesses = makeRegistryAccesses({
  reads: { findRegistry: () => Promise.resolve(null) },
  secrets: { readPassword: unread, readCertificates: unread },
});
