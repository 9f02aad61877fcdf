import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layoutBlobPath, writeOciLayout } from '@stella/testkit';
import { makeRegistry } from '../../src/registry/open-registry.ts';
import { makeHttpClient } from '../../src/system/http-client.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { NOTHING_DECLARED } from './nothing-declared.ts';
import { describeRegistryContract } from './registry.contract.ts';

describeRegistryContract('OCI image layout', async () => {
  const root = await mkdtemp(join(tmpdir(), 'stella-layouts-'));
  const http = makeHttpClient({ allowedRanges: [] });
  return {
    registry: makeRegistry({
      accesses: NOTHING_DECLARED,
      http,
      fileSystem: nodeFileSystem,
      clock: nodeClock,
      layoutRoots: [root],
    }),
    publish: (name, images) => writeOciLayout(join(root, name), images),
    sourceOf: (name) => ({ kind: 'oci-layout', directory: join(root, name) }),
    blobPath: (name, digest) => layoutBlobPath(join(root, name), digest),
    close: async () => {
      await http.close();
      await rm(root, { recursive: true });
    },
  };
});
