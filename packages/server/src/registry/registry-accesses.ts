/** Declarations and secrets → how a registry is spoken to. Both are read at each use: a new password counts at once. */
import {
  AppError,
  isLoopbackRegistry,
  type RegistryDefinition,
  registryOrigin,
  registrySecretOf,
} from '@stella/domain';
import type { ReadStore } from '../ports/read-store.ts';
import type { RegistryAccesses, RegistryLogin } from '../ports/registry-credentials.ts';
import type { Secrets } from '../ports/secrets.ts';

export interface AccessDeps {
  readonly reads: Pick<ReadStore, 'findRegistry'>;
  readonly secrets: Pick<Secrets, 'readPassword' | 'readCertificates'>;
}

/** Keeps no state: one serves all callers at once. */
export function makeRegistryAccesses({ reads, secrets }: AccessDeps): RegistryAccesses {
  return {
    async accessTo(host) {
      const definition = await reads.findRegistry(host);
      return {
        origin: registryOrigin(host, definition),
        ca: definition === null ? null : await readCa(secrets, definition),
        login: definition && (await readLogin(secrets, definition)),
      };
    },
  };
}

async function readLogin(
  secrets: Pick<Secrets, 'readPassword'>,
  definition: RegistryDefinition,
): Promise<RegistryLogin | null> {
  const { host, login } = definition;
  const reference = registrySecretOf(definition);
  if (login === null || reference === null) return null;
  const found = await secrets.readPassword(reference);
  if (!found.isThere) {
    throw new AppError('registry.credentials', {
      details: { registry: host, message: found.message },
      hint: `put the secret where the document of the registry says: ${reference}`,
    });
  }
  return login.kind === 'token' ? { token: found.password } : { username: login.username, password: found.password };
}

async function readCa(
  secrets: Pick<Secrets, 'readCertificates'>,
  { host, ca, isPlainHttp }: RegistryDefinition,
): Promise<string | null> {
  if (ca === null || (isPlainHttp && isLoopbackRegistry(host))) return null;
  const found = await secrets.readCertificates(ca);
  if (found.isThere) return found.pem;
  throw new AppError('registry.tls', { details: { registry: host, message: found.message } });
}
