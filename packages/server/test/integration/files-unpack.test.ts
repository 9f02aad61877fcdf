/** Layers as they come from outside, hostile ones too: nothing leaves the tree, nothing but files, links, directories. */
import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AppError, isAppError } from '@stella/domain';
import { type TarEntry, writeOciLayout } from '@stella/testkit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OperationAnswer } from '../../src/ports/target.ts';
import { linuxPlatform } from '../../src/registry/pick-manifest.ts';
import { parseEntryPath, refuseEntry, UNPACK_LIMITS, type UnpackLimits } from '../../src/targets/files/entry-path.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  namesIn,
  openTarget,
  type TargetPlace,
} from '../contract/files-target-fixture.ts';

let place: TargetPlace;
beforeEach(() => {
  place = makeTargetPlace();
  writeFileSync(join(place.root, 'secret'), 'not yours');
});
afterEach(() => place.remove());

interface Image {
  readonly files?: Readonly<Record<string, string>>;
  readonly layers: readonly (readonly TarEntry[])[];
  readonly limits?: Partial<UnpackLimits>;
}

async function unpack({ files = {}, layers, limits = {} }: Image): Promise<OperationAnswer> {
  await writeOciLayout(place.layout, [{ tag: 'it', files, layers }]);
  const target = openTarget(place, { limits: { ...UNPACK_LIMITS, ...limits } });
  return target.deploy(call(), { epoch: 1, n: 1 }, 'op-1', await componentOf(place, 'it'));
}

const inTree = (...path: readonly string[]): string => join(place.directory, 'current', ...path);

describe('layers of a release', () => {
  it('become files, directories and links with their modes', async () => {
    const answer = await unpack({
      layers: [
        [
          { path: 'bin/', type: 'directory', mode: 0o755 },
          { path: 'bin/run', content: '#!/bin/sh\n', mode: 0o4755 },
          { path: 'bin/same', type: 'link', linkTarget: 'bin/run' },
          { path: 'latest', type: 'symlink', linkTarget: 'bin/run' },
        ],
      ],
    });
    expect(answer).toMatchObject({ outcome: 'succeeded' });
    expect(statSync(inTree('bin', 'run')).mode & 0o7777).toBe(0o755);
    expect(statSync(inTree('bin', 'same')).ino).toBe(statSync(inTree('bin', 'run')).ino);
    expect(readlinkSync(inTree('latest'))).toBe('bin/run');
  });

  it('lie over each other, with whiteouts', async () => {
    const answer = await unpack({
      files: { 'a.txt': 'old', 'b.txt': 'gone', 'dir/c.txt': 'hidden', 'dir/d.txt': 'hidden' },
      layers: [
        [
          { path: 'a.txt', content: 'new' },
          { path: '.wh.b.txt' },
          { path: 'dir/.wh..wh..opq' },
          { path: 'dir/e.txt', content: 'shown' },
        ],
      ],
    });
    expect(answer).toMatchObject({ outcome: 'succeeded' });
    expect(readFileSync(inTree('a.txt'), 'utf8')).toBe('new');
    expect(existsSync(inTree('b.txt'))).toBe(false);
    expect(existsSync(inTree('dir', 'c.txt'))).toBe(false);
    expect(readFileSync(inTree('dir', 'e.txt'), 'utf8')).toBe('shown');
  });

  it('are those that an index has for its platform, and the answer names their manifest', async () => {
    const platforms = [{ os: 'linux', architecture: 'riscv64' }, linuxPlatform('x64')];
    const [image] = await writeOciLayout(place.layout, [{ tag: 'it', files: { 'a.txt': 'a' }, platforms }]);
    const component = await componentOf(place, 'it');
    const answer = await openTarget(place).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
    expect(image?.manifests).toHaveLength(2);
    expect(answer).toMatchObject({ outcome: 'succeeded', digest: image?.digest });
    expect(answer.outcome === 'succeeded' && answer.message).toContain(
      `of the index's manifest ${image?.manifests[1]?.digest};`,
    );
    expect(readFileSync(inTree('a.txt'), 'utf8')).toBe('a');
  });

  it.each<[string, readonly TarEntry[]]>([
    ['climbs out by ".."', [{ path: '../out', content: 'x' }]],
    ['is absolute', [{ path: '/etc/out', content: 'x' }]],
    [
      'goes through a link that an entry made',
      [
        { path: 'up', type: 'symlink', linkTarget: '..' },
        { path: 'up/out', content: 'x' },
      ],
    ],
    [
      'goes through a link to the root',
      [
        { path: 'root', type: 'symlink', linkTarget: '/' },
        { path: 'root/tmp/out', content: 'x' },
      ],
    ],
    ['hard-links a file outside', [{ path: 'stolen', type: 'link', linkTarget: '../../../secret' }]],
    [
      'hard-links through a link',
      [
        { path: 'up', type: 'symlink', linkTarget: '../../..' },
        { path: 'stolen', type: 'link', linkTarget: 'up/secret' },
      ],
    ],
    ['links out of the tree', [{ path: 'up', type: 'symlink', linkTarget: '../../../secret' }]],
    ['is a character device', [{ path: 'null', type: 'character-device' }]],
    ['is a block device', [{ path: 'disk', type: 'block-device' }]],
    ['is a fifo', [{ path: 'pipe', type: 'fifo' }]],
    ['is below a whiteout', [{ path: '.wh.dir/file', content: 'x' }]],
    ['links to itself', [{ path: 'me', type: 'link', linkTarget: 'me' }]],
  ])('are refused as target.unpack_refused when an entry %s', async (_, layer) => {
    const answer = await unpack({ layers: [[{ path: 'good', content: 'x' }], layer] });
    expect(answer).toMatchObject({ outcome: 'failed', code: 'target.unpack_refused' });
    expect(existsSync(inTree())).toBe(false);
    expect(existsSync(join(place.directory, 'out'))).toBe(false);
    expect(existsSync(join(place.root, 'out'))).toBe(false);
    expect(namesIn(place, '.stella', 'staging')).toEqual([]);
  });

  it.each<[string, Partial<UnpackLimits>, readonly TarEntry[]]>([
    ['too many entries', { entryCountMax: 2 }, [{ path: 'a' }, { path: 'b' }, { path: 'c' }]],
    ['too many bytes', { totalBytesMax: 20_000 }, [{ path: 'a', content: 'x'.repeat(30_000) }]],
    ['too deep a path', { depthMax: 3 }, [{ path: 'a/b/c/d' }]],
    ['too long a path', { pathBytesMax: 20 }, [{ path: 'a/very/long/path/indeed' }]],
    ['too long a name', { segmentBytesMax: 5 }, [{ path: 'longer' }]],
    ['too many layers', { layerCountMax: 1 }, [{ path: 'a' }]],
  ])('are refused with %s', async (_, limits, layer) => {
    const answer = await unpack({ files: { first: 'x' }, layers: [layer], limits });
    expect(answer).toMatchObject({ outcome: 'failed', code: 'target.unpack_refused' });
    expect(existsSync(inTree())).toBe(false);
  });

  it('replace a link by a file without writing through it', async () => {
    const answer = await unpack({
      files: { 'index.html': 'page' },
      layers: [[{ path: 'link', type: 'symlink', linkTarget: 'index.html' }], [{ path: 'link', content: 'mine' }]],
    });
    expect(answer).toMatchObject({ outcome: 'succeeded' });
    expect(readFileSync(inTree('link'), 'utf8')).toBe('mine');
    expect(readFileSync(inTree('index.html'), 'utf8')).toBe('page');
  });
});

describe('parseEntryPath', () => {
  it('answers a path inside of the tree, or refuses', () => {
    const word = fc.oneof(fc.constantFrom('..', '.', '', 'a', '.wh.x', 'ü', '\0'), fc.string());
    const refuse = (path: string, message: string): AppError => refuseEntry('web', path, message);
    fc.assert(
      fc.property(
        fc.array(word).map((words) => words.join('/')),
        (name) => {
          let segments: readonly string[];
          try {
            segments = parseEntryPath(name, UNPACK_LIMITS, refuse);
          } catch (error) {
            return isAppError(error, 'target.unpack_refused');
          }
          return segments.every((one) => one !== '' && one !== '.' && one !== '..' && !/[/\0]/.test(one));
        },
      ),
    );
    expect(parseEntryPath('./www//index.html', UNPACK_LIMITS, refuse)).toEqual(['www', 'index.html']);
  });
});
