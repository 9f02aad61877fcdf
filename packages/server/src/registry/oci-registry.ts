/**
 * Artifacts in a repository of an OCI registry, read over HTTP as whom we are declared to be there (distribution-spec,
 * "Pull"). Bytes and headers are handed on as they came; `open-registry.ts` checks them.
 */
import { AppError, type ArtifactSource, type Digest, formatSource, isDigest } from '@stella/domain';
import { HttpFailure, readBody } from '../ports/http-client.ts';
import type { Descriptor } from '../ports/registry.ts';
import type { ByteSource, FetchedDocument } from './byte-source.ts';
import { DOCUMENT_BYTES_MAX, DOCUMENT_MEDIA_TYPES, documentTooLarge } from './manifest.ts';
import { discard, type RegistryAnswer, type RegistrySession } from './registry-session.ts';
import { mismatch } from './verified-bytes.ts';

type RegistrySource = Extract<ArtifactSource, { kind: 'registry' }>;

/** A manifest is small: a registry that needs longer is not well. */
const DOCUMENT_TIMEOUT_MS = 15_000;
/** A whole layer, read as fast as a target writes it; shorter than `deploy.deadline`. */
const BLOB_TIMEOUT_MS = 10 * 60_000;
/** Added to a blob's size, so that the body of an error answer fits too. */
const BODY_SLACK_BYTES = 1_024 * 1_024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Asks nothing yet. */
export function openRepository(source: RegistrySource, session: RegistrySession): ByteSource {
  const repository: Repository = {
    source,
    name: formatSource(source),
    path: `/v2/${source.repository}`,
    session,
  };
  return {
    readTag: (tag, signal) => {
      const missing = (): AppError =>
        new AppError('registry.tag_not_found', { details: { tag, repository: repository.name } });
      return fetchDocument(repository, { version: tag, missing }, signal);
    },
    readDocument: (digest, signal) => {
      const missing = (): AppError => contentMissing(repository, digest);
      return fetchDocument(repository, { version: digest, missing }, signal);
    },
    readBlob: (descriptor, signal) => fetchBlob(repository, descriptor, signal),
  };
}

interface Repository {
  readonly source: RegistrySource;
  readonly name: string;
  /** Below the registry's origin. */
  readonly path: string;
  readonly session: RegistrySession;
}

async function fetchDocument(
  repository: Repository,
  { version, missing }: { version: string; missing: () => AppError },
  signal: AbortSignal | undefined,
): Promise<FetchedDocument> {
  try {
    const response = await repository.session.request({
      registry: repository.source.registry,
      repository: repository.source.repository,
      method: 'GET',
      path: `${repository.path}/manifests/${version}`,
      headers: { accept: DOCUMENT_MEDIA_TYPES.join(', '), 'accept-encoding': 'identity' },
      timeoutMs: DOCUMENT_TIMEOUT_MS,
      responseBytesMax: DOCUMENT_BYTES_MAX,
      ...(signal ? { signal } : {}),
    });
    if (response.status !== 200) throw await refusal(repository, response, missing);
    const bytes = await readBody(response);
    const claimed = response.headers['docker-content-digest'];
    return {
      bytes,
      mediaType: response.headers['content-type'] ?? null,
      claimedDigest: isDigest(claimed) ? claimed : null,
    };
  } catch (error) {
    if (error instanceof HttpFailure && error.failure === 'too_large') {
      throw documentTooLarge(version, repository.name, error);
    }
    throw translate(error, repository);
  }
}

async function* fetchBlob(
  repository: Repository,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { digest, sizeBytes } = descriptor;
  try {
    const path = `${repository.path}/blobs/${digest}`;
    let response = await requestBlob(repository, { path, sizeBytes }, signal);
    if (REDIRECTS.has(response.status)) {
      await discard(response);
      const next = redirectTarget(repository, path, response);
      response = await requestBlob(repository, { path: next, sizeBytes }, signal);
    }
    if (response.status !== 200) throw await refusal(repository, response, () => contentMissing(repository, digest));
    yield* response.body;
  } catch (error) {
    if (error instanceof HttpFailure && error.failure === 'too_large') {
      throw mismatch(repository.name, digest, `more than the promised ${sizeBytes} bytes`);
    }
    throw translate(error, repository);
  }
}

function requestBlob(
  { session, source }: Repository,
  { path, sizeBytes }: { path: string; sizeBytes: number },
  signal: AbortSignal | undefined,
): Promise<RegistryAnswer> {
  return session.request({
    registry: source.registry,
    repository: source.repository,
    method: 'GET',
    path,
    headers: { 'accept-encoding': 'identity' },
    timeoutMs: BLOB_TIMEOUT_MS,
    responseBytesMax: sizeBytes + BODY_SLACK_BYTES,
    ...(signal ? { signal } : {}),
  });
}

/** Only to the same scheme, host and port: another host was named by nobody who may name hosts here. */
function redirectTarget(repository: Repository, from: string, { headers, origin }: RegistryAnswer): string {
  const { location } = headers;
  const target =
    location !== undefined && URL.canParse(location, `${origin}${from}`) ? new URL(location, `${origin}${from}`) : null;
  if (target?.origin !== origin) {
    throw unreachable(repository, 'it redirects to another host, which is not followed');
  }
  return `${target.pathname}${target.search}`;
}

/** What a status other than 200 means. Ends the answer. */
async function refusal(repository: Repository, response: RegistryAnswer, missing: () => AppError): Promise<AppError> {
  await discard(response);
  const { status } = response;
  if (status === 404) return missing();
  if (status === 401 || status === 403) {
    const { registry } = repository.source;
    return new AppError('registry.denied', { details: { registry, repository: repository.source.repository } });
  }
  if (REDIRECTS.has(status)) return unreachable(repository, 'it redirects, which is not followed here');
  return unreachable(repository, `it answered status ${status}`);
}

function contentMissing({ name }: Repository, digest: Digest): AppError {
  return new AppError('registry.artifact_missing', { details: { digest, repository: name } });
}

function translate(error: unknown, repository: Repository): unknown {
  if (!(error instanceof HttpFailure)) return error;
  if (error.failure === 'tls') {
    const { registry } = repository.source;
    return new AppError('registry.tls', { details: { registry, message: error.message }, cause: error });
  }
  if (error.failure !== 'address_forbidden') return unreachable(repository, error.message, error);
  return new AppError('registry.unreachable', {
    details: { registry: repository.source.registry, message: error.message },
    hint: 'allow the address in STELLA_OUTGOING_ALLOW',
    cause: error,
  });
}

function unreachable({ source }: Repository, message: string, cause?: unknown): AppError {
  return new AppError('registry.unreachable', { details: { registry: source.registry, message }, cause });
}
