import { type Digest, digestOf, isAppError } from '@stella/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashBytes, verifyStream } from './verified-bytes.ts';

async function* streamOf(
  chunks: readonly Uint8Array[],
  atEnd: () => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    atEnd();
  }
}

/** What was handed out, and the error that ended it, if any. */
async function collect(
  chunks: readonly Uint8Array[],
  promised: { digest: Digest; sizeBytes: number },
): Promise<{ seen: Buffer; error: unknown }> {
  const seen: Uint8Array[] = [];
  try {
    const descriptor = { mediaType: 'a/b', ...promised };
    for await (const chunk of verifyStream(streamOf(chunks), descriptor, 'r')) seen.push(chunk);
    return { seen: Buffer.concat(seen), error: null };
  } catch (error) {
    return { seen: Buffer.concat(seen), error };
  }
}

const chunked = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 });

describe('verifyStream', () => {
  it('hands out exactly what hashes to the digest', async () => {
    await fc.assert(
      fc.asyncProperty(chunked, async (chunks) => {
        const all = Buffer.concat(chunks);
        const { seen, error } = await collect(chunks, { digest: digestOf(all), sizeBytes: all.byteLength });
        expect(error).toBe(null);
        expect(seen.equals(all)).toBe(true);
      }),
    );
  });

  it('never hands out the last chunk of anything else', async () => {
    await fc.assert(
      fc.asyncProperty(chunked, fc.integer({ min: -2, max: 2 }), fc.boolean(), async (chunks, difference, isOther) => {
        fc.pre(difference !== 0 || isOther);
        const all = Buffer.concat(chunks);
        const digest = isOther ? digestOf('other content than any of these') : digestOf(all);
        const { seen, error } = await collect(chunks, { digest, sizeBytes: Math.max(-1, all.byteLength + difference) });
        expect(isAppError(error, 'registry.digest_mismatch')).toBe(true);
        expect(all.byteLength === 0 || seen.byteLength < all.byteLength).toBe(true);
      }),
    );
  });

  it('closes what it reads from when its reader leaves, and when it refuses', async () => {
    const chunks = ['a', 'b', 'c'].map((text) => Buffer.from(text));
    const closed: string[] = [];
    const descriptor = { mediaType: 'a/b', digest: digestOf('abc'), sizeBytes: 3 };
    for await (const _chunk of verifyStream(
      streamOf(chunks, () => closed.push('left')),
      descriptor,
      'r',
    ))
      break;
    const short = verifyStream(
      streamOf(chunks, () => closed.push('refused')),
      { ...descriptor, sizeBytes: 1 },
      'r',
    );
    await expect(short.next()).rejects.toThrow('more than the promised 1 bytes');
    expect(closed).toEqual(['left', 'refused']);
  });
});

it("hashBytes is the domain's digestOf", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(hashBytes(bytes)).toBe(digestOf(bytes));
    }),
  );
});
