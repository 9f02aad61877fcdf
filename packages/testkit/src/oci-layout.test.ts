import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { gzipStored, type OciImage, readLayoutBlob, writeOciLayout } from './oci-layout.ts';

const made: string[] = [];
async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-layout-'));
  made.push(directory);
  return directory;
}
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

const WEB: OciImage = { tag: '1.0.0', files: { 'www/index.html': '<h1>1</h1>', README: 'read me' } };

describe('writeOciLayout', () => {
  it('gives the same digests on every machine and in every order of files', async () => {
    const [first] = await writeOciLayout(await makeDirectory(), [WEB]);
    const files = Object.fromEntries(Object.entries(WEB.files).reverse());
    const [second] = await writeOciLayout(await makeDirectory(), [{ ...WEB, files }]);
    expect(second).toEqual(first);
    expect(first?.digest).toBe('sha256:23140d7b933080000ee5d724cb4153bd90854ab9314bdff9bb65ec8470cc2995');
  });

  it('names every blob by the hash of its bytes', async () => {
    const directory = await makeDirectory();
    const platforms = [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
    ];
    const [image] = await writeOciLayout(directory, [{ ...WEB, platforms, mediaTypes: 'docker' }]);
    const names = await readdir(join(directory, 'blobs', 'sha256'));
    // One layer, two configs, two manifests, one index.
    expect(names).toHaveLength(6);
    for (const name of names) {
      const bytes = await readFile(join(directory, 'blobs', 'sha256', name));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(name);
    }
    expect(image?.manifests.map((one) => one.platform.architecture)).toEqual(['amd64', 'arm64']);
  });

  it('keeps other tags and moves its own', async () => {
    const directory = await makeDirectory();
    await writeOciLayout(directory, [WEB, { ...WEB, tag: 'latest' }]);
    const [moved] = await writeOciLayout(directory, [{ tag: 'latest', files: { a: 'b' } }]);
    // Just written by the builder.
    const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as {
      manifests: readonly { digest: string; annotations: Readonly<Record<string, string>> }[];
    };
    const tags = index.manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name']);
    expect(tags).toEqual(['1.0.0', 'latest']);
    expect(index.manifests[1]?.digest).toBe(moved?.digest);
  });

  it('puts directories before their files', async () => {
    const directory = await makeDirectory();
    const [image] = await writeOciLayout(directory, [WEB]);
    const [layer] = image?.manifests[0]?.layers ?? [];
    if (!layer) throw new Error('no layer was written');
    const tar = gunzipSync(await readLayoutBlob(directory, layer)).toString('latin1');
    expect(tar.indexOf('www/\0')).toBeLessThan(tar.indexOf('www/index.html'));
  });
});

describe('gzipStored', () => {
  it('is undone by gunzip', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(0, 65_535, 65_536, 131_070, 200_000),
        (bytes, padding) => {
          const input = Buffer.concat([bytes, Buffer.alloc(padding, 7)]);
          expect(gunzipSync(gzipStored(input)).equals(input)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});
