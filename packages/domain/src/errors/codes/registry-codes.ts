/** Error codes: registry and artifacts. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const REGISTRY_CODES = {
  'registry.unreachable': entry(
    'Unavailable',
    'cannot reach the registry {registry}: {message}',
    'check the address and that the registry runs, then try again',
  ),
  'registry.tag_not_found': entry('NotFound', 'no tag "{tag}" in {repository}', 'check the tag; nothing was created'),
  'registry.artifact_missing': entry('NotFound', 'no content {digest} in {repository}', 'push the artifact again'),
  'registry.digest_mismatch': entry(
    'Unprocessable',
    '{repository} answered bytes of {actual} for {expected}',
    'the registry is damaged or lying; do not use this artifact',
  ),
  'registry.bad_manifest': entry(
    'Unprocessable',
    'the manifest {digest} in {repository} is refused: {message}',
    'build the artifact with a tool that writes valid OCI manifests',
  ),
  'registry.credentials': entry(
    'Forbidden',
    'the registry {registry} gets no credentials that it takes: {message}',
    'correct the secret that its document of kind Registry names, then: stella registry list',
  ),
  'registry.tls': entry(
    'Unavailable',
    'the registry {registry} cannot be trusted: {message}',
    'name its authority in a document of kind Registry, ca: file:/path/to/ca.pem',
  ),
  'registry.denied': entry(
    'Forbidden',
    'the registry {registry} refuses access to {repository}',
    'allow reading there; who we are is declared by a document of kind Registry: stella registry list',
  ),
  'registry.directory_forbidden': entry(
    'Forbidden',
    'the directory {directory} is outside of those allowed for OCI image layouts',
    'allow it in STELLA_LAYOUT_DIRECTORIES',
  ),
  'registry.reference': entry(
    'InvalidInput',
    '"{value}" is not an artifact reference; {message}',
    'write registry/repository:tag, registry/repository@sha256:… or oci-layout:/directory:tag',
  ),
  'registry.limit': entry(
    'LimitExceeded',
    '{what} of {repository} is larger than {bytesMax} bytes',
    'make the artifact smaller',
  ),
} as const satisfies Record<string, ErrorEntry>;
