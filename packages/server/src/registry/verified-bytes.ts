/** The one place that decides whether bytes are what a digest promises. Pure but for the streams it passes on. */
import { createHash } from 'node:crypto';
import { AppError, type Digest, parseDigest } from '@stella/domain';
import type { Descriptor } from '../ports/registry.ts';

/** The digest of bytes; as `digestOf` of the domain, but fast for megabytes. */
export function hashBytes(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

/**
 * Passes the bytes on and holds one chunk back until the next one came, so that the last chunk is handed out only after
 * length and hash of the whole were compared. Throws `registry.digest_mismatch`; at once when there are too many bytes.
 */
export async function* verifyStream(
  chunks: AsyncIterable<Uint8Array>,
  { digest, sizeBytes }: Descriptor,
  repository: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  let seenBytes = 0;
  let held: Uint8Array | null = null;
  for await (const chunk of chunks) {
    if (chunk.byteLength === 0) continue;
    seenBytes += chunk.byteLength;
    if (seenBytes > sizeBytes) throw mismatch(repository, digest, `more than the promised ${sizeBytes} bytes`);
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  if (seenBytes !== sizeBytes) throw mismatch(repository, digest, `${seenBytes} instead of ${sizeBytes} bytes`);
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== digest) throw mismatch(repository, digest, actual);
  if (held) yield held;
}

/** `actual` is a digest, or says in words what came instead. */
export function mismatch(repository: string, expected: Digest, actual: string): AppError {
  return new AppError('registry.digest_mismatch', { details: { repository, expected, actual } });
}
