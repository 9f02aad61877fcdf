/** SHA-256 digests in OCI form, `sha256:<64 lowercase hex>` (OCI image-spec, descriptor.md, Digests). */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { AppError } from '../errors/app-error.ts';

export type Digest = `sha256:${string}` & { readonly __brand: 'Digest' };

const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && DIGEST_PATTERN.test(value);
}

/** Text → digest. Throws `input.digest`. */
export function parseDigest(value: unknown): Digest {
  if (!isDigest(value)) throw new AppError('input.digest', { details: { value: String(value).slice(0, 100) } });
  return value;
}

/** The digest of bytes, or of a text's UTF-8 bytes. */
export function digestOf(content: Uint8Array | string): Digest {
  const bytes = typeof content === 'string' ? utf8ToBytes(content) : content;
  return parseDigest(`sha256:${bytesToHex(sha256(bytes))}`);
}
