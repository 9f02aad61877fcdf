/**
 * The proof at the end of the demo, by other means than Stella's: a page's bytes, as a web server sends them, are looked
 * for in the layers of the OCI artifacts on disk.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';

export interface FoundPage {
  readonly tag: string;
  /** Of the artifact's manifest. */
  readonly artifact: string;
  readonly layer: string;
  readonly path: string;
}

export interface PageCheck {
  readonly url: string;
  readonly hash: string;
  /** Null: no artifact holds these bytes. */
  readonly found: FoundPage | null;
}

/** Fetches the page and looks for it in every artifact of the layout. */
export async function checkPage(url: string, layout: string): Promise<PageCheck> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  const hash = sha256(Buffer.from(await response.arrayBuffer()));
  return { url, hash, found: response.ok ? await findInLayout(layout, hash) : null };
}

interface Described {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function findInLayout(layout: string, hash: string): Promise<FoundPage | null> {
  // Shapes as the OCI image layout has them; the demo wrote it.
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: Described[] };
  for (const { digest, annotations } of index.manifests) {
    // Likewise.
    const manifest = JSON.parse((await readBlob(layout, digest)).toString('utf8')) as { layers: Described[] };
    for (const layer of manifest.layers) {
      const path = await findInLayer(gunzipSync(await readBlob(layout, layer.digest)), hash);
      const tag = annotations?.['org.opencontainers.image.ref.name'] ?? '';
      if (path !== null) return { tag, artifact: digest, layer: layer.digest, path };
    }
  }
  return null;
}

async function readBlob(layout: string, digest: string): Promise<Buffer> {
  const bytes = await readFile(join(layout, 'blobs', ...digest.split(':')));
  if (sha256(bytes) !== digest) throw new Error(`${digest} is damaged in ${layout}`);
  return bytes;
}

async function findInLayer(tar: Buffer, hash: string): Promise<string | null> {
  const archive = extract();
  archive.end(tar);
  let path: string | null = null;
  for await (const entry of archive) {
    const chunks: Buffer[] = [];
    // The reader's types leave its chunks open; an archive's are bytes.
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.type === 'file' && sha256(Buffer.concat(chunks)) === hash) path = entry.header.name;
  }
  return path;
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
