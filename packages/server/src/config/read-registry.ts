/** A document of `kind: Registry` → how a registry of artifacts is spoken to. */
import { isLoopbackRegistry, type RegistryDefinition, type RegistryLoginDefinition } from '@stella/domain';
import { checkRegistryHost, checkRegistryUser, checkSecretReference } from './definition-checks.ts';
import type { MapReader } from './map-reader.ts';

export const REGISTRY_KIND = 'Registry';

const KEYS = ['kind', 'host', 'username', 'password', 'token', 'ca', 'plainHttp'] as const;

export function readRegistry(map: MapReader): RegistryDefinition {
  map.allow(KEYS);
  const host = map.text('host', checkRegistryHost).toLowerCase();
  const isPlainHttp = map.flag('plainHttp', false);
  if (isPlainHttp && !isLoopbackRegistry(host)) {
    map.refuse(
      'plainHttp',
      `plainHttp: only a registry of this machine is spoken to without TLS, and "${host}" is none`,
    );
  }
  if (isPlainHttp && map.has('ca')) map.refuse('ca', 'ca: without TLS there are no certificates to check');
  return {
    host,
    login: readLogin(map),
    ca: map.has('ca') ? map.text('ca', checkSecretReference) : null,
    isPlainHttp,
  };
}

function readLogin(map: MapReader): RegistryLoginDefinition | null {
  if (map.has('token')) {
    if (map.has('username') || map.has('password')) {
      map.refuse('token', 'token: either username and password, or a token');
    }
    return { kind: 'token', token: map.text('token', checkSecretReference) };
  }
  if (map.has('username') !== map.has('password')) map.refuse('username', 'username and password go together');
  if (!map.has('username') || !map.has('password')) return null;
  return {
    kind: 'password',
    username: map.text('username', checkRegistryUser),
    password: map.text('password', checkSecretReference),
  };
}
