/** What hostile registries do, as a table: after a release was made from an honest answer, and while it is made. */
import type { ErrorCode } from '@stella/domain';
import {
  answer,
  drip,
  endless,
  hang,
  headOf,
  rawThenEnd,
  rawThenReset,
  redirectTo,
} from '@stella/testkit/hostile/behaviours';
import type { Behaviour } from '@stella/testkit/hostile';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const OTHER_DIGEST = `sha256:${'0'.repeat(64)}`;
/** As large as a manifest may be. */
const LONG_TEXT = 'x'.repeat(4_000_000);
const TEN_GB = 10_000_000_000;

export interface RegistryRow {
  readonly what: string;
  /** Given what an honest registry would send, and the authority of a server that nobody may be led to. */
  readonly behaves: (honest: Uint8Array, foreign: string) => Behaviour;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const typed = (headers: Readonly<Record<string, string>> = {}) => ({
  headers: { 'content-type': MANIFEST_TYPE, ...headers },
});
const challenge: RegistryRow['behaves'] = (_honest, foreign) =>
  answer('{"errors":[]}', {
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="http://${foreign}/token",service="registry",scope="*"` },
  });
const elsewhere: RegistryRow['behaves'] = (_honest, foreign) => redirectTo(`http://${foreign}/storage`, 307);
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte));

/** Of a manifest that the release names by its digest, asked for by the precheck. */
export const HOSTILE_MANIFESTS: readonly RegistryRow[] = [
  {
    what: 'has lost it',
    behaves: () => answer('', { status: 404 }),
    code: 'registry.artifact_missing',
    says: /no content sha256:/,
  },
  {
    what: 'sends other bytes',
    behaves: (honest) => answer(flipped(honest), typed()),
    code: 'registry.digest_mismatch',
    says: /sha256:/,
  },
  {
    what: 'sends another manifest',
    behaves: () => answer('{"schemaVersion":2}', typed()),
    code: 'registry.digest_mismatch',
    says: /sha256:/,
  },
  {
    what: 'sends a part of it',
    behaves: (honest) => answer(honest.subarray(0, 100), typed()),
    code: 'registry.digest_mismatch',
    says: /sha256:/,
  },
  {
    what: 'breaks off',
    behaves: (honest) => rawThenEnd(`${headOf(honest.byteLength, typed())}{`),
    code: 'registry.unreachable',
    says: /127\.0\.0\.3/,
  },
  {
    what: 'resets in the middle',
    behaves: (honest) => rawThenReset(`${headOf(honest.byteLength, typed())}{`),
    code: 'registry.unreachable',
    says: /127\.0\.0\.3/,
  },
  {
    what: 'calls it an index',
    behaves: (honest) => answer(honest, typed({ 'content-type': INDEX_TYPE })),
    code: 'registry.bad_manifest',
    says: /index/,
  },
  {
    what: 'sends it without end',
    behaves: () => endless(headOf(TEN_GB, typed()), ' '.repeat(65_536)),
    code: 'registry.limit',
    says: /4194304 bytes/,
  },
  { what: 'is silent', behaves: () => hang, code: 'registry.unreachable', says: /given up|in time|no answer within/ },
  {
    what: 'sends a byte each second',
    behaves: () => drip(headOf(1_000, typed()), 1_000),
    code: 'registry.unreachable',
    says: /given up|in time|no answer within/,
  },
  { what: 'wants a token from elsewhere', behaves: challenge, code: 'registry.unreachable', says: /127\.0\.0\.3/ },
  {
    what: 'redirects elsewhere',
    behaves: elsewhere,
    code: 'registry.unreachable',
    says: /it redirects, which is not followed here/,
  },
];

/** Of a layer, asked for by the deploy. */
export const HOSTILE_BLOBS: readonly RegistryRow[] = [
  {
    what: 'has lost it',
    behaves: () => answer('', { status: 404 }),
    code: 'registry.artifact_missing',
    says: /no content sha256:/,
  },
  {
    what: 'sends other bytes',
    behaves: (honest) => answer(flipped(honest)),
    code: 'registry.digest_mismatch',
    says: /sha256:/,
  },
  {
    what: 'sends a part of it',
    behaves: (honest) => answer(honest.subarray(0, 100)),
    code: 'registry.digest_mismatch',
    says: /100 instead of/,
  },
  { what: 'sends nothing', behaves: () => answer(''), code: 'registry.digest_mismatch', says: /0 instead of/ },
  {
    what: 'sends more',
    behaves: (honest) => answer(Buffer.concat([honest, honest])),
    code: 'registry.digest_mismatch',
    says: /more than the promised/,
  },
  {
    what: 'sends it without end',
    behaves: () => endless(headOf(TEN_GB), 'x'.repeat(65_536)),
    code: 'registry.digest_mismatch',
    says: /more than the promised/,
  },
  {
    what: 'breaks off',
    behaves: (honest) => rawThenEnd(`${headOf(honest.byteLength)}x`),
    code: 'registry.unreachable',
    says: /127\.0\.0\.3/,
  },
  {
    what: 'resets in the middle',
    behaves: (honest) => rawThenReset(`${headOf(honest.byteLength)}x`),
    code: 'registry.unreachable',
    says: /127\.0\.0\.3/,
  },
  { what: 'is silent', behaves: () => hang, code: 'target.interrupted', says: /no end within/ },
  {
    what: 'is silent after the head',
    behaves: (honest) => (socket) => void socket.write(headOf(honest.byteLength)),
    code: 'target.interrupted',
    says: /no end within/,
  },
  {
    what: 'sends a byte each second',
    behaves: (honest) => drip(`${headOf(honest.byteLength)}${'x'.repeat(500)}`, 1_000),
    code: 'target.interrupted',
    says: /no end within/,
  },
  { what: 'wants a token from elsewhere', behaves: challenge, code: 'registry.unreachable', says: /127\.0\.0\.3/ },
  {
    what: 'redirects elsewhere',
    behaves: elsewhere,
    code: 'registry.unreachable',
    says: /another host, which is not followed/,
  },
  {
    what: 'redirects to the metadata of a cloud',
    behaves: () => redirectTo('http://169.254.169.254/'),
    code: 'registry.unreachable',
    says: /another host, which is not followed/,
  },
  {
    what: 'redirects to a file',
    behaves: () => redirectTo('file:///etc/passwd'),
    code: 'registry.unreachable',
    says: /another host, which is not followed/,
  },
  {
    what: 'redirects to itself, again and again',
    behaves: () => (socket, request) => redirectTo(request.path)(socket, request),
    code: 'registry.unreachable',
    says: /it redirects, which is not followed here/,
  },
];

/** Of a tag, while a release is made. */
export const HOSTILE_TAGS: readonly RegistryRow[] = [
  { what: 'is silent', behaves: () => hang, code: 'registry.unreachable', says: /no whole answer in time/ },
  {
    what: 'sends a byte each second',
    behaves: () => drip(headOf(1_000, typed()), 1_000),
    code: 'registry.unreachable',
    says: /no whole answer in time/,
  },
  {
    what: 'says another digest',
    behaves: (honest) => answer(honest, typed({ 'docker-content-digest': OTHER_DIGEST })),
    code: 'registry.digest_mismatch',
    says: /0000/,
  },
  {
    what: 'sends one text of 4 MB',
    behaves: () => answer(`{"schemaVersion":2,"a":"${LONG_TEXT}"}`, typed()),
    code: 'registry.bad_manifest',
    says: /config|layers|it is not/,
  },
  {
    what: 'sends lists in lists',
    behaves: () => answer('['.repeat(4_000_000), typed()),
    code: 'registry.bad_manifest',
    says: /nested deeper than 32 levels/,
  },
  {
    what: 'sends two lists of layers',
    behaves: () => answer('{"layers":[],"layers":[]}', typed()),
    code: 'registry.bad_manifest',
    says: /same key twice/,
  },
  { what: 'wants a token from elsewhere', behaves: challenge, code: 'registry.unreachable', says: /127\.0\.0\.3/ },
  {
    what: 'redirects elsewhere',
    behaves: elsewhere,
    code: 'registry.unreachable',
    says: /it redirects, which is not followed here/,
  },
];
