/** What only a layout on disk can do wrong: links, pipes, rights, broken files. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Digest, digestOf, isAppError } from '@stella/domain';
import { layoutBlobPath, type OciImage, writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpClient } from '../../src/ports/http-client.ts';
import type { Registry } from '../../src/ports/registry.ts';
import { DOCUMENT_BYTES_MAX } from '../../src/registry/manifest.ts';
import { makeRegistry } from '../../src/registry/open-registry.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { NOTHING_DECLARED } from './nothing-declared.ts';
import { codeOf, readAll } from './registry.contract.ts';

const run = promisify(execFile);
const WEB: OciImage = { tag: '1.0', files: { 'index.html': 'hello' } };
const noHttp: HttpClient = { request: () => Promise.reject(new Error('a layout asked for HTTP')) };

let base: string;
let web: string;
let digest: Digest;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'stella-layout-'));
  web = join(base, 'allowed', 'web');
  const [image] = await writeOciLayout(web, [WEB]);
  if (!image) throw new Error('no image was written');
  digest = image.digest;
});
afterEach(() => rm(base, { recursive: true }));

function open(layoutRoots: readonly string[] = [join(base, 'allowed')]): Registry {
  return makeRegistry({
    accesses: NOTHING_DECLARED,
    http: noHttp,
    fileSystem: nodeFileSystem,
    clock: nodeClock,
    layoutRoots,
  });
}

function resolve(directory = web, registry = open()): ReturnType<Registry['resolve']> {
  return registry.resolve({ source: { kind: 'oci-layout', directory }, tag: '1.0', digest: null });
}

describe('allowed directories', () => {
  it.each<[string, () => readonly string[]]>([
    ['the parent', () => [join(base, 'allowed')]],
    ['the parent with a slash at the end', () => [`${join(base, 'allowed')}/`]],
    ['the layout itself', () => [web]],
    ['the root', () => ['/']],
    ['one of several, others missing', () => [join(base, 'none'), web]],
  ])('take a layout when they are %s', async (_what, roots) => {
    expect((await resolve(web, open(roots()))).digest).toBe(digest);
  });

  it.each<[string, () => readonly string[]]>([
    ['none', () => []],
    ['a sibling with the same start', () => [web.slice(0, -1)]],
    ['below the layout', () => [join(web, 'blobs')]],
    ['missing', () => [join(base, 'none')]],
  ])('refuse a layout when they are %s', async (_what, roots) => {
    expect((await codeOf(resolve(web, open(roots()))))[0]).toBe('registry.directory_forbidden');
  });

  it('are told apart by real paths: a link may not lead out, and may lead in', async () => {
    await rename(web, join(base, 'outside'));
    await symlink(join(base, 'outside'), web);
    expect((await codeOf(resolve()))[0]).toBe('registry.directory_forbidden');
    await symlink(join(base, 'outside'), join(base, 'root'));
    expect((await resolve(join(base, 'root'), open([join(base, 'root')]))).digest).toBe(digest);
    expect((await resolve(join(base, 'outside'), open([join(base, 'root')]))).digest).toBe(digest);
  });

  it('do not tell what exists outside of them', async () => {
    const there = await codeOf(resolve('/etc'));
    const missing = await codeOf(resolve('/etc-that-is-not-there'));
    expect([there[0], missing[0]]).toEqual(['registry.directory_forbidden', 'registry.directory_forbidden']);
  });
});

describe('files of a layout', () => {
  it('may be links inside of it', async () => {
    const path = layoutBlobPath(web, digest);
    await rename(path, join(web, 'moved'));
    await symlink(join(web, 'moved'), path);
    expect((await resolve()).digest).toBe(digest);
  });

  it('may not be links that lead out, even to the right bytes', async () => {
    const path = layoutBlobPath(web, digest);
    await rename(path, join(base, 'moved'));
    await symlink(join(base, 'moved'), path);
    expect((await codeOf(resolve()))[0]).toBe('registry.directory_forbidden');
    const source = { kind: 'oci-layout', directory: web } as const;
    const blob = open().readBlob(source, { mediaType: 'a/b', digest, sizeBytes: 1 });
    expect((await codeOf(readAll(blob)))[0]).toBe('registry.directory_forbidden');
  });

  it('may not be found through a directory that leads out', async () => {
    await rename(join(web, 'blobs'), join(base, 'blobs'));
    await symlink(join(base, 'blobs'), join(web, 'blobs'));
    expect((await codeOf(resolve()))[0]).toBe('registry.directory_forbidden');
  });

  it('show nothing of a secret that index.json was linked to inside', async () => {
    await writeFile(join(web, 'secret'), 'hunter2');
    await rm(join(web, 'index.json'));
    await symlink(join(web, 'secret'), join(web, 'index.json'));
    const [code, message] = await codeOf(resolve());
    expect(code).toBe('registry.bad_manifest');
    expect(message).not.toContain('hunter2');
  });

  it('do not hang the server when they are pipes', async () => {
    const path = layoutBlobPath(web, digest);
    await rm(path);
    await run('mkfifo', [path]);
    const [code, message] = await codeOf(resolve());
    expect([code, message]).toEqual(['registry.unreachable', expect.stringContaining('not a plain file')]);
  });

  it('may not be directories or devices', async () => {
    await rm(join(web, 'index.json'));
    await mkdir(join(web, 'index.json'));
    expect((await codeOf(resolve()))[1]).toContain('not a plain file');
  });

  it('that are in a circle of links are unreachable', async () => {
    await rm(join(web, 'index.json'));
    await symlink('index.json', join(web, 'index.json'));
    expect((await codeOf(resolve()))[0]).toBe('registry.unreachable');
  });

  it.each([
    ['EACCES', 'registry.denied'],
    ['EPERM', 'registry.denied'],
    ['EIO', 'registry.unreachable'],
    ['EMFILE', 'registry.unreachable'],
    ['ENOENT', 'registry.unreachable'],
  ])('whose opening fails with %s are %s', async (code, expected) => {
    const failing = { ...nodeFileSystem, open: () => Promise.reject(Object.assign(new Error(code), { code })) };
    const registry = makeRegistry({
      accesses: NOTHING_DECLARED,
      http: noHttp,
      fileSystem: failing,
      clock: nodeClock,
      layoutRoots: ['/'],
    });
    expect((await codeOf(resolve(web, registry)))[0]).toBe(expected);
  });

  it('over the limit are refused without being read', async () => {
    await writeFile(join(web, 'index.json'), Buffer.alloc(DOCUMENT_BYTES_MAX + 1));
    expect((await codeOf(resolve()))[0]).toBe('registry.limit');
    const path = layoutBlobPath(web, digest);
    await writeFile(path, Buffer.alloc(DOCUMENT_BYTES_MAX + 1));
    const source = { kind: 'oci-layout', directory: web } as const;
    expect((await codeOf(open().readDocument(source, digest)))[0]).toBe('registry.limit');
  });
});

describe('what is no layout', () => {
  it.each([
    ['a missing directory', 'none', /there is no such directory/],
    ['a directory without the file oci-layout', '.', /no file "oci-layout"/],
    ['a file', 'file', /no such directory|no file/],
  ])('%s is unreachable', async (_what, name, expected) => {
    await writeFile(join(base, 'allowed', 'file'), '');
    const [code, message] = await codeOf(resolve(join(base, 'allowed', name)));
    expect([code, message]).toEqual(['registry.unreachable', expect.stringMatching(expected)]);
  });

  it('a missing index.json is named', async () => {
    await rm(join(web, 'index.json'));
    expect((await codeOf(resolve()))[1]).toContain('no file "index.json"');
  });

  it.each([
    ['oci-layout', '{"imageLayoutVersion":"2.0.0"}', /imageLayoutVersion is not 1\.0\.0/],
    ['oci-layout', 'null', /imageLayoutVersion/],
    ['oci-layout', 'x', /not valid JSON/],
    ['index.json', '{}', /"manifests" is not a list/],
    ['index.json', 'null', /"manifests" is not a list/],
    ['index.json', '{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"1.0"}}]}', /no valid mediaType/],
    ['index.json', '{"manifests":[],"manifests":[]}', /same key twice/],
  ])('%s as %s is refused', async (file, content, expected) => {
    await writeFile(join(web, file), content);
    const [code, message] = await codeOf(resolve());
    expect([code, message]).toEqual(['registry.bad_manifest', expect.stringMatching(expected)]);
  });
});

describe('tags of a layout', () => {
  interface Index {
    manifests: { mediaType: string; digest: string; annotations?: Record<string, string> | null }[];
  }
  async function change(edit: (index: Index) => void): Promise<void> {
    // Just written by the builder.
    const index = JSON.parse(await readFile(join(web, 'index.json'), 'utf8')) as Index;
    edit(index);
    await writeFile(join(web, 'index.json'), JSON.stringify(index));
  }

  it('that name two artifacts are refused; twice the same is fine', async () => {
    await change(({ manifests }) => manifests.push(...manifests));
    expect((await resolve()).digest).toBe(digest);
    await writeOciLayout(web, [{ ...WEB, tag: 'other', files: { other: '' } }]);
    await change(({ manifests }) => {
      for (const one of manifests) one.annotations = { 'org.opencontainers.image.ref.name': '1.0' };
    });
    const [code, message] = await codeOf(resolve());
    expect([code, message]).toEqual(['registry.bad_manifest', expect.stringContaining('names several artifacts')]);
  });

  it('are found among entries without annotations and entries that are nonsense', async () => {
    await change((index) => {
      const nonsense = [null, 1, [], {}, { annotations: null }] as unknown as Index['manifests'];
      index.manifests = [...nonsense, ...index.manifests];
    });
    expect((await resolve()).digest).toBe(digest);
  });

  it('whose descriptor disagrees with the document about its media type are refused', async () => {
    await change(({ manifests }) => {
      for (const one of manifests) one.mediaType = 'application/vnd.oci.image.index.v1+json';
    });
    expect((await codeOf(resolve()))[1]).toContain('handed over as');
  });

  it('that name nothing in the layout are missing content', async () => {
    await rm(layoutBlobPath(web, digest));
    expect((await codeOf(resolve()))[0]).toBe('registry.artifact_missing');
  });

  it('cannot lead out of the layout by a digest that is a path', async () => {
    await change(({ manifests }) => {
      for (const one of manifests) one.digest = 'sha256:../../../../../etc/passwd';
    });
    expect((await codeOf(resolve()))[1]).toContain('has no digest of the form');
  });
});

it('every file that is opened is closed, also when the reader leaves or content is refused', async () => {
  let openCount = 0;
  const counting: typeof nodeFileSystem = {
    ...nodeFileSystem,
    open: async (path, flags, mode) => {
      const handle = await nodeFileSystem.open(path, flags, mode);
      openCount += 1;
      const close = handle.close.bind(handle);
      handle.close = () => {
        openCount -= 1;
        return close();
      };
      return handle;
    },
  };
  const registry = makeRegistry({
    accesses: NOTHING_DECLARED,
    http: noHttp,
    fileSystem: counting,
    clock: nodeClock,
    layoutRoots: ['/'],
  });
  const large = layoutBlobPath(web, digestOf('large'));
  await writeFile(large, Buffer.alloc(2_000_000));
  const descriptor = { mediaType: 'a/b', digest: digestOf('large'), sizeBytes: 2_000_000 };
  const source = { kind: 'oci-layout', directory: web } as const;
  await resolve(web, registry);
  expect((await codeOf(readAll(registry.readBlob(source, descriptor))))[0]).toBe('registry.digest_mismatch');
  for await (const _chunk of registry.readBlob(source, descriptor)) break;
  expect(openCount).toBe(0);
});

it('a hung disk ends at the deadline', async () => {
  const hung = { ...nodeFileSystem, realpath: () => new Promise<never>(() => undefined) };
  const clock = { ...nodeClock, schedule: (_delayMs: number, go: () => void) => nodeClock.schedule(0, go) };
  const registry = makeRegistry({
    accesses: NOTHING_DECLARED,
    http: noHttp,
    fileSystem: hung,
    clock,
    layoutRoots: ['/'],
  });
  const error = await resolve(web, registry).catch((caught: unknown) => caught);
  expect(isAppError(error, 'registry.unreachable') && error.message).toContain('no answer within 15000 ms');
});

it('a document whose media type is told by no one is one of OCI', async () => {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 };
  const text = JSON.stringify({ schemaVersion: 2, config, layers: [] });
  await writeFile(layoutBlobPath(web, digestOf(text)), text);
  const source = { kind: 'oci-layout', directory: web } as const;
  const resolved = await open().resolve({ source, tag: null, digest: digestOf(text) });
  expect(resolved.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
});
