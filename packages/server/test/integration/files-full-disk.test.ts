/** A `files` target on a disk that is full when an operation ends: the next one is not kept waiting. */
import { basename } from 'node:path';
import { writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { UNPACK_LIMITS } from '../../src/targets/files/entry-path.ts';
import { openFilesTarget } from '../../src/targets/files-target.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  openTarget,
  pageIn,
  type TargetPlace,
  targetDeps,
} from '../contract/files-target-fixture.ts';

let place: TargetPlace;
beforeEach(async () => {
  place = makeTargetPlace();
  const tags = ['one', 'two'];
  await writeOciLayout(
    place.layout,
    tags.map((tag) => ({ tag, files: { 'index.html': `page ${tag}` } })),
  );
});
afterEach(() => place.remove());

/** No room for the name that frees the lock. */
const full: typeof nodeFileSystem = {
  ...nodeFileSystem,
  symlink: (target, path) => {
    if (!basename(String(path)).endsWith('.free')) return nodeFileSystem.symlink(target, path);
    return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
  },
};

describe('a target whose disk is full when an operation ends', () => {
  it('gives its lock up all the same, although the holder lives on', async () => {
    const definition = {
      name: 'web',
      kind: 'files',
      component: 'web',
      directory: place.directory,
      keepCount: 3,
      health: null,
    } as const;
    const target = openFilesTarget(definition, 'prod', { ...targetDeps(place), fileSystem: full }, UNPACK_LIMITS);
    const first = await target.deploy(call(60_000), { epoch: 1, n: 1 }, 'op-1', await componentOf(place, 'one'));
    expect(first).toMatchObject({ outcome: 'succeeded' });
    const second = await openTarget(place).deploy(
      call(5_000),
      { epoch: 1, n: 2 },
      'op-2',
      await componentOf(place, 'two'),
    );
    expect(second).toMatchObject({ outcome: 'succeeded' });
    expect(pageIn(place)).toBe('page two');
  });
});
