/**
 * How a person names an artifact, as text. This file owns the grammar: the OCI distribution-spec's for repositories,
 * tags and digests ("Pulling manifests"), and the common `host[:port]/repository` spelling before it. Nothing is
 * assumed: a missing registry, tag or digest is refused, because a release that guessed would promote a surprise.
 */
import { AppError } from '../errors/app-error.ts';
import { isDigest } from '../values/digest.ts';
import type { ArtifactReference, ArtifactSource } from './release.ts';
import { formatSource } from './release.ts';

/** Characters of a whole reference; the longest valid parts together stay below it. */
export const REFERENCE_LENGTH_MAX = 1_500;
/** Characters of `host:port/repository`; many registries store no more (distribution-spec, "Pulling manifests"). */
export const SOURCE_NAME_LENGTH_MAX = 255;
/** Characters of a layout directory; well under the 4,096 bytes that a path may have. */
export const LAYOUT_DIRECTORY_LENGTH_MAX = 1_024;
/** Characters of a reference that an error repeats. */
const SHOWN_LENGTH_MAX = 200;

const LAYOUT_PREFIX = 'oci-layout:';
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const PORT_MAX = 65_535;
const HOST_NAME = /^(?:[a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])(?:\.(?:[a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9]))*$/;
/** A last label that an URL parser would read as a number makes the whole host an IPv4 address (WHATWG URL, 3.5). */
const NUMERIC_LABEL = /^(?:[0-9]+|0x[0-9a-f]*)$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;
const IPV6_GROUP = /^[0-9a-f]{1,4}$/;
/** Control characters, halves of surrogate pairs and whatever else Unicode calls "other" or a line separator. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
/** `user:password@` as URLs have it; a person may paste one, and an error must not repeat it. */
const LOGIN = /[^/@:]+:[^/@]+@(?!sha256:)/gi;

/**
 * One of `registry.example:5000/shop/web:1.4`, `registry.example/shop/web@sha256:…`, `oci-layout:/srv/web:1.4`,
 * `oci-layout:/srv/web@sha256:…` → the reference, with either `tag` or `digest` and the other null. The registry is
 * what stands before the first `/` and must look like a host: a dot, a port or `localhost`, as in every container
 * tool; its letters are made lower case. Layout directories are absolute, without `.`, `..`, empty segments, `:` and
 * `@`. Throws `registry.reference`.
 */
export function parseArtifactReference(text: unknown): ArtifactReference {
  if (typeof text !== 'string') throw refusal(String(text), 'it must be text');
  const refuse: Refuse = (message) => refusal(text, message);
  if (text.length > REFERENCE_LENGTH_MAX) throw refuse(`it is longer than ${REFERENCE_LENGTH_MAX} characters`);
  const isLayout = text.startsWith(LAYOUT_PREFIX);
  const { name, tag, digest } = splitVersion(isLayout ? text.slice(LAYOUT_PREFIX.length) : text, refuse);
  const source = isLayout ? parseDirectory(name, refuse) : parseRepository(name, refuse);
  if (tag !== null && !TAG.test(tag)) {
    throw refuse('a tag has 1 to 128 letters, digits, "_", "." and "-", and starts with none of the last two');
  }
  if (digest === null) return { source, tag, digest };
  if (!isDigest(digest)) throw refuse('the digest must be sha256:<64 lowercase hex digits>');
  return { source, tag, digest };
}

/** The inverse of `parseArtifactReference`; a digest wins over a tag when there are both. */
export function formatArtifactReference({ source, tag, digest }: ArtifactReference): string {
  const version = digest === null ? `:${tag ?? ''}` : `@${digest}`;
  return `${formatSource(source)}${version}`;
}

type Refuse = (message: string) => AppError;

function refusal(text: string, message: string): AppError {
  const value = text.slice(0, SHOWN_LENGTH_MAX).replace(LOGIN, '***@');
  return new AppError('registry.reference', { details: { value, message } });
}

/** Splits off what follows the last `@`, else the `:` after the last `/`. */
function splitVersion(text: string, refuse: Refuse): { name: string; tag: string | null; digest: string | null } {
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  if (at === -1) {
    if (colon === -1) throw refuse('a tag or a digest is missing; none is assumed');
    return { name: name.slice(0, colon), tag: name.slice(colon + 1), digest: null };
  }
  if (colon !== -1 && name.includes('/')) throw refuse('give either a tag or a digest, not both');
  return { name, tag: null, digest: text.slice(at + 1) };
}

function parseDirectory(directory: string, refuse: Refuse): ArtifactSource {
  if (!directory.startsWith('/') || directory === '/') {
    throw refuse('the layout directory must be an absolute path, not the root');
  }
  if (directory.length > LAYOUT_DIRECTORY_LENGTH_MAX) {
    throw refuse(`the layout directory is longer than ${LAYOUT_DIRECTORY_LENGTH_MAX} characters`);
  }
  if (UNPRINTABLE.test(directory) || /[\\:@]/.test(directory)) {
    throw refuse('the layout directory must not have ":", "@", "\\" or unprintable characters');
  }
  const isPlain = (segment: string): boolean => segment !== '' && segment !== '.' && segment !== '..';
  if (!directory.slice(1).split('/').every(isPlain)) {
    throw refuse('the layout directory must not have empty, "." or ".." segments');
  }
  return { kind: 'oci-layout', directory };
}

function parseRepository(name: string, refuse: Refuse): ArtifactSource {
  const slash = name.indexOf('/');
  const registry = name.slice(0, Math.max(0, slash)).toLowerCase();
  if (!/[.:]/.test(registry) && registry !== 'localhost') {
    throw refuse('the registry is missing; none is assumed. Start with its host, such as registry.example:5000/');
  }
  if (name.length > SOURCE_NAME_LENGTH_MAX) {
    throw refuse(`registry and repository are longer than ${SOURCE_NAME_LENGTH_MAX} characters`);
  }
  if (!isRegistryHost(registry)) throw refuse('the registry is not a host name or address with an optional port');
  const repository = name.slice(slash + 1);
  if (!REPOSITORY.test(repository)) {
    throw refuse('a repository is lowercase letters and digits, separated by "/", ".", "_", "__" or "-"');
  }
  return { kind: 'registry', registry, repository };
}

/** `host`, `host:port`, `127.0.0.1:5000`, `[::1]:5000`; lower case. */
export function isRegistryHost(text: string): boolean {
  const bracket = text.lastIndexOf(']');
  const colon = text.indexOf(':', bracket + 1);
  const host = colon === -1 ? text : text.slice(0, colon);
  if (colon !== -1 && !isPort(text.slice(colon + 1))) return false;
  if (host.startsWith('[')) return host.endsWith(']') && isIpv6(host.slice(1, -1));
  const lastLabel = host.slice(host.lastIndexOf('.') + 1);
  return NUMERIC_LABEL.test(lastLabel) ? IPV4.test(host) : HOST_NAME.test(host);
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= PORT_MAX;
}

/** RFC 4291, section 2.2, forms 1 and 2; no zone and no embedded IPv4. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const isWhole = halves.length === 1 ? groups.length === 8 : groups.length <= 7;
  return isWhole && groups.every((group) => IPV6_GROUP.test(group));
}
