/** A declared registry in its wire form: references of secrets, never a secret. */
import { registryOrigin, registrySecretOf, toRfc3339 } from '@stella/domain';
import type { RegistryRecord } from '../../ports/registry-credentials.ts';

export function presentRegistry({ definition, version, appliedAtMs }: RegistryRecord): object {
  const { host, login, ca } = definition;
  return {
    host,
    url: registryOrigin(host, definition),
    login: login?.kind ?? 'none',
    username: login?.kind === 'password' ? login.username : null,
    secret: registrySecretOf(definition),
    ca,
    version,
    appliedAt: toRfc3339(appliedAtMs),
  };
}
