/**
 * What differs between the places that artifacts come from: how bytes are fetched. Nothing behind this border hashes or
 * parses documents; `open-registry.ts` does both, once for all places.
 */
import type { Digest } from '@stella/domain';
import type { Descriptor } from '../ports/registry.ts';

export interface FetchedDocument {
  /** At most `DOCUMENT_BYTES_MAX`. Not yet compared with anything. */
  readonly bytes: Uint8Array;
  /** Of the header or the descriptor that came with the bytes. */
  readonly mediaType: string | null;
  /** The digest that the place says the bytes have; a hint that can only lead to a refusal. */
  readonly claimedDigest: Digest | null;
}

/** One repository or one layout directory. Errors: as the `Registry` port, but for the digest mismatch of content. */
export interface ByteSource {
  readTag(tag: string, signal?: AbortSignal): Promise<FetchedDocument>;
  readDocument(digest: Digest, signal?: AbortSignal): Promise<FetchedDocument>;
  /** Raw bytes in any chunks. Nothing is opened before the first chunk is asked for; ending early closes everything. */
  readBlob(descriptor: Descriptor, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}
